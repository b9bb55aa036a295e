"""Cells of CSV files that people open in a spreadsheet: text never becomes a formula there.

A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a line end (OWASP, "CSV
Injection"). Such text is written with an apostrophe in front, which spreadsheets take for "this is
text". So that reading is unambiguous, text that begins with apostrophes and then one of those
characters gets one more: `=A1` is written as `'=A1`, `'=A1` as `''=A1`, and `'tis` as it is.
"""

import csv
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import TextIO

Cell = str | int | Decimal
# Japanese and Chinese editions of Excel also take the full-width forms.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
                      "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}]")  # fmt: skip


def escape(cell: Cell) -> Cell:
    """A cell as it is written: text that looks like a formula with an apostrophe in front.

    Numbers stay numbers, negative ones too.
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def unescape(text: str) -> str:
    """What a cell of text says: `unescape(escape(text)) == text` for every text."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


class CsvWriter:
    """Writes rows as CSV (RFC 4180) with every cell escaped."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        # Before Python 3.13 a lone CR is written without quotes, and read as the end of the row.
        self._quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def write(self, row: Iterable[Cell]) -> None:
        """Write one row."""
        cells = [escape(cell) for cell in row]
        has_cr = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (self._quoting if has_cr else self._writer).writerow(cells)
