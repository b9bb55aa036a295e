"""Files of rows that staff download."""

import io
from collections.abc import Iterable, Iterator, Sequence

from flask import Response, stream_with_context

from app.db.unit_of_work import open_snapshot
from app.domain.catalogue.csv_cells import Cell, CsvWriter
from app.domain.catalogue.csv_lines import BYTE_ORDER_MARK

CHUNK = 64 * 1024
"""Characters that are sent at once."""


def csv_file(name: str, columns: Sequence[str], rows: Iterable[Iterable[Cell]]) -> Response:
    """An answer that streams rows as CSV, read from one snapshot of the database, to be stored under a
    name."""
    response = Response(stream_with_context(_as_csv(columns, rows)), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _as_csv(columns: Sequence[str], rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    open_snapshot()
    text = io.StringIO()
    text.write(BYTE_ORDER_MARK)  # by which Excel knows UTF-8
    writer = CsvWriter(text)
    writer.write(columns)
    for row in rows:
        writer.write(row)
        if text.tell() >= CHUNK:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()
