"""Reads and checks the rows of a product list in CSV (RFC 4180).

    sku,name,price[,stock,description,category,compare_at_price,currency]

A missing column or cell leaves the product's value as it is, and so does an empty `stock`; an empty
description, category or compare_at_price clears it. Text is read as `csv_cells` writes it: an
apostrophe in front of what looks like a formula is not part of the text.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, TextIO, TypedDict, cast

from app.domain.catalogue.category_path import Path, read_path
from app.domain.catalogue.csv_cells import unescape
from app.domain.catalogue.variant_rules import MAX_STOCK, clean_sku
from app.domain.money import MAX_PRICE, NotMoney, to_minor, to_text
from app.domain.text import NotText, clean

REQUIRED = ("sku", "name", "price")
COLUMNS = (*REQUIRED, "stock", "description", "category", "compare_at_price", "currency")
MAX_NAME, MAX_DESCRIPTION = 200, 20_000
_WHOLE = re.compile("[0-9]{1,18}")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
"""What Python's `surrogateescape` makes of bytes that are not UTF-8."""


class NotAProductList(ValueError):
    """The file as a whole cannot be read; the message says why."""


class OptionalValues(TypedDict, total=False):
    """What a row may leave out: `stock` in units on hand, `compare_at_price` in minor units."""

    stock: int
    description: str
    category: Path
    compare_at_price: int | None


@dataclass(frozen=True)
class ImportRow:
    """A row that can be imported, by the line on which it starts; `price` is in minor units."""

    line: int
    sku: str
    name: str
    price: int
    optional: OptionalValues


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be imported, by the line of the file on which it starts."""

    line: int
    reason: str


class _Lines:
    """The lines of a file, which can be read again from the second line of a row.

    A row with an unclosed quote would otherwise swallow all rows after it.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._pushed_back: deque[str] = deque()
        self._row: list[str] = []
        self._lines_read = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._pushed_back.popleft() if self._pushed_back else next(self._lines)
        self._row.append(line)
        self._lines_read += 1
        return line

    @property
    def next_number(self) -> int:
        """The number of the line that comes next."""
        return self._lines_read + 1

    def begin_row(self) -> int:
        """The number of the line on which the next row starts."""
        self._row.clear()
        return self.next_number

    def skip_to(self, number: int) -> None:
        """Continue with this line, which has not been read yet."""
        deque(islice(self._lines, number - 1 - self._lines_read), maxlen=0)
        self._lines_read = number - 1

    def give_up_row(self) -> None:
        """Push back the lines of this row, except for the first."""
        lines = self._row[1:]
        self._pushed_back.extendleft(reversed(lines))
        self._lines_read -= len(lines)


def open_text(file: BinaryIO) -> TextIO:
    """The lines of a product list in UTF-8, as `ProductList` reads them.

    Bytes that are not UTF-8 become lone surrogates, by which their row is refused.
    """
    return io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")


class ProductList:
    """An iterator over the rows of a CSV text; `unknown` names the columns that it ignores."""

    def __init__(self, lines: Iterable[str], currency: str, start: int = 0) -> None:
        """Read the header, and continue with the row that begins on line `start`.

        Raises:
            NotAProductList: no header, a required column missing, or a column twice.
        """
        self._lines = _Lines(lines)
        self._reader = csv.reader(self._lines, strict=True)
        self._currency = currency
        self._header = self._read_header()
        self.unknown = [_printable(name) for name in self._header if name and name not in COLUMNS]
        if start >= self.next_line:
            self._lines.skip_to(start)

    @property
    def next_line(self) -> int:
        """The number of the line on which the next row begins."""
        return self._lines.next_number

    def __iter__(self) -> Iterator[ImportRow | BadRow]:
        for line, cells in self._rows():
            yield cells if isinstance(cells, BadRow) else self._row(line, cells)

    def repeated(self) -> set[str]:
        """The SKUs that several of the remaining rows have. It reads the file to its end."""
        skus: set[str] = set()
        repeated: set[str] = set()
        place = self._header.index("sku")
        for _line, cells in self._rows():
            if not isinstance(cells, BadRow) and place < len(cells):
                with suppress(NotText):  # such a row is refused, however often it comes
                    sku = clean_sku(unescape(cells[place]))
                    (repeated if sku in skus else skus).add(sku)
        return repeated

    def _rows(self) -> Iterator[tuple[int, list[str] | BadRow]]:
        while True:
            line = self._lines.begin_row()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._lines.give_up_row()
                yield line, BadRow(line, f"Not readable as CSV: {error}.")
                continue
            if cells:
                yield line, cells

    def _read_header(self) -> list[str]:
        try:
            cells: list[str] = next((cells for cells in self._reader if cells), [])
        except csv.Error as error:
            raise NotAProductList(f"The file is not readable as CSV: {error}.") from None
        header = [cell.strip().lower() for cell in cells]
        missing = [name for name in REQUIRED if name not in header]
        if missing:
            hint = "" if len(header) > 1 else " Columns are separated by commas."
            raise NotAProductList(f"The header has no column {', '.join(missing)}.{hint}")
        repeated = [name for name in COLUMNS if header.count(name) > 1]
        if repeated:
            raise NotAProductList(f"The header has the column {repeated[0]} twice.")
        return header

    def _row(self, line: int, cells: Sequence[str]) -> ImportRow | BadRow:
        if len(cells) > len(self._header):
            return BadRow(line, f"{len(cells)} cells under {len(self._header)} columns.")
        text = "".join(cells)
        if not text.isascii() and _NOT_UTF8.search(text):
            return BadRow(line, "The text is not UTF-8.")
        by_column = {name: cell for name, cell in zip(self._header, cells) if name in COLUMNS}  # noqa: B905 - cells at the end may be missing
        return check_row(line, by_column, self._currency)


def check_row(line: int, cells: Mapping[str, str], currency: str) -> ImportRow | BadRow:
    """Read the cells of a row, by column; a bad row names everything that is wrong with them."""
    values: dict[str, Any] = {}
    errors = [f"{name}: missing" for name in REQUIRED if name not in cells]
    for name, cell in cells.items():
        try:
            values[name] = _READERS[name](cell, currency)
        except (NotText, NotMoney) as error:
            errors.append(f"{name}: {str(error).rstrip('.')}")
    if errors:
        return BadRow(line, "; ".join(errors) + ".")
    values.pop("currency", None)
    if values.get("stock", 0) is None:
        del values["stock"]
    sku, name, price = (values.pop(column) for column in REQUIRED)
    return ImportRow(line, sku, name, price, cast(OptionalValues, values))


def _printable(name: str) -> str:
    """A column's name with characters replaced that cannot be stored or printed."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)


def _price(cell: str, currency: str) -> int:
    minor = to_minor(cell.strip(), currency)
    if not 0 <= minor <= MAX_PRICE:
        raise NotMoney(f"From 0 to {to_text(MAX_PRICE, currency)}.")
    return minor


def _price_or_none(cell: str, currency: str) -> int | None:
    return _price(cell, currency) if cell.strip() else None


def _stock(cell: str, _currency: str) -> int | None:
    text = cell.strip()
    if not text:
        return None
    if not (_WHOLE.fullmatch(text) and int(text) <= MAX_STOCK):
        raise NotText(f"A whole number from 0 to {MAX_STOCK}.")
    return int(text)


def _same_currency(cell: str, currency: str) -> None:
    if cell.strip().upper() not in ("", currency):
        raise NotText(f"This shop sells in {currency}.")


_READERS: Mapping[str, Callable[[str, str], object]] = {
    "sku": lambda cell, _: clean_sku(unescape(cell)),
    "name": lambda cell, _: clean(unescape(cell), 1, MAX_NAME),
    "price": _price,
    "stock": _stock,
    "description": lambda cell, _: clean(unescape(cell), 0, MAX_DESCRIPTION, lines=True),
    "category": lambda cell, _: read_path(unescape(cell)),
    "compare_at_price": _price_or_none,
    "currency": _same_currency,
}
