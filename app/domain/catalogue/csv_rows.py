"""Rows of a product list in CSV (RFC 4180): read, checked, and told apart from bad ones.

    sku,name,price[,stock,description,category,compare_at_price,currency]

What a row leaves out stays as it is. A missing column, a missing cell and an empty `stock` or
`currency` leave out; an empty description, category or compare_at_price empties it. Cells of text
are read as `csv_cells` writes them: an apostrophe before what looks like a formula is no part of it.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, TextIO

from app.domain.catalogue.category_path import read_path
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


@dataclass(frozen=True)
class ImportRow:
    """A row in order. `given` holds what it may leave out: `stock` (units on hand), `description`,
    `category` (a path), `compare_at_price` (minor units or None)."""

    line: int
    sku: str
    name: str
    price: int
    given: Mapping[str, Any]


@dataclass(frozen=True)
class BadRow:
    """A row that cannot go in, by the line of the file on which it starts."""

    line: int
    reason: str


class _Lines:
    """The lines of a file, from which a row that cannot be read takes only its first.

    A quote that nobody closed would otherwise take the rows after it along.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self._row: list[str] = []
        self._read = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._row.append(line)
        self._read += 1
        return line

    @property
    def next_number(self) -> int:
        """The number of the line that comes next."""
        return self._read + 1

    def begin_row(self) -> int:
        """The number of the line on which the next row starts."""
        self._row.clear()
        return self.next_number

    def skip_to(self, number: int) -> None:
        """Go on with this line, which is not behind us."""
        deque(islice(self._lines, number - 1 - self._read), maxlen=0)
        self._read = number - 1

    def give_up_row(self) -> None:
        """Give the lines of this row again, except for the first."""
        rest = self._row[1:]
        self._again.extendleft(reversed(rest))
        self._read -= len(rest)


def open_text(file: BinaryIO) -> TextIO:
    """The lines of a product list in UTF-8, as `ProductList` reads them.

    Bytes that are not UTF-8 become lone surrogates, by which their row is refused.
    """
    return io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")


class ProductList:
    """The rows of a CSV text, read as they are asked for; `unknown` names the columns ignored."""

    def __init__(self, lines: Iterable[str], currency: str, start: int = 0) -> None:
        """Read the header, and go on with the row that begins on line `start`.

        Raises:
            NotAProductList: no header, a required column missing, or a column twice.
        """
        self._lines = _Lines(lines)
        self._reader = csv.reader(self._lines, strict=True)
        self._currency = currency
        self._header = self._read_header()
        self.unknown = [_shown(name) for name in self._header if name and name not in COLUMNS]
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
        """The SKUs of several rows, among the rows that are left; those are read thereby."""
        once: set[str] = set()
        again: set[str] = set()
        place = self._header.index("sku")
        for _line, cells in self._rows():
            if not isinstance(cells, BadRow) and place < len(cells):
                with suppress(NotText):  # such a row is refused, however often it comes
                    sku = clean_sku(unescape(cells[place]))
                    (again if sku in once else once).add(sku)
        return again

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
        twice = [name for name in COLUMNS if header.count(name) > 1]
        if twice:
            raise NotAProductList(f"The header has the column {twice[0]} twice.")
        return header

    def _row(self, line: int, cells: Sequence[str]) -> ImportRow | BadRow:
        if len(cells) > len(self._header):
            return BadRow(line, f"{len(cells)} cells under {len(self._header)} columns.")
        text = "".join(cells)
        if not text.isascii() and _NOT_UTF8.search(text):
            return BadRow(line, "The text is not UTF-8.")
        named = {name: cell for name, cell in zip(self._header, cells) if name in COLUMNS}  # noqa: B905 - cells at the end may be missing
        return check_row(line, named, self._currency)


def check_row(line: int, cells: Mapping[str, str], currency: str) -> ImportRow | BadRow:
    """One row's cells by column, as values; or everything that is wrong with them."""
    values: dict[str, Any] = {}
    wrong = [f"{name}: missing" for name in REQUIRED if name not in cells]
    for name, cell in cells.items():
        try:
            values[name] = _READERS[name](cell, currency)
        except (NotText, NotMoney) as error:
            wrong.append(f"{name}: {str(error).rstrip('.')}")
    if wrong:
        return BadRow(line, "; ".join(wrong) + ".")
    values.pop("currency", None)
    if values.get("stock", 0) is None:
        del values["stock"]
    facts = {name: values.pop(name) for name in REQUIRED}
    return ImportRow(line, **facts, given=values)


def _shown(name: str) -> str:
    """A column's name that can be stored and printed, whatever bytes it was written in."""
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


_READERS: Mapping[str, Callable[[str, str], Any]] = {
    "sku": lambda cell, _: clean_sku(unescape(cell)),
    "name": lambda cell, _: clean(unescape(cell), 1, MAX_NAME),
    "price": _price,
    "stock": _stock,
    "description": lambda cell, _: clean(unescape(cell), 0, MAX_DESCRIPTION, lines=True),
    "category": lambda cell, _: read_path(unescape(cell)),
    "compare_at_price": _price_or_none,
    "currency": _same_currency,
}
