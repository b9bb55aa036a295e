"""Reads and checks the rows of a product list in CSV (RFC 4180).

    sku,name,price[,stock,description,category,compare_at_price,currency,tax_class,weight,requires_shipping]

A missing column or cell leaves the product's value as it is, and so does an empty `stock`, `tax_class`, `weight`
or `requires_shipping`; an empty description, category or compare_at_price clears it. Text is read as `csv_cells` writes it: an
apostrophe in front of what looks like a formula is not part of the text. Cells may be separated by
semicolons, tabs or bars as well; with semicolons prices may have a decimal comma. Rows without any text are skipped.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, cast

from app.domain.catalogue.category_path import Path, read_path
from app.domain.catalogue.csv_cells import unescape
from app.domain.catalogue.csv_lines import (
    DELIMITERS,
    NEVER_CLOSED,
    Lines,
    describe,
    read_delimiter,
)
from app.domain.catalogue.variant_rules import MAX_STOCK, MAX_WEIGHT, clean_sku
from app.domain.money import MAX_PRICE, NotMoney, to_minor, to_text
from app.domain.text import NotText, clean

REQUIRED = ("sku", "name", "price")
COLUMNS = (
    *REQUIRED, "stock", "description", "category", "compare_at_price", "currency", "tax_class",
    "weight", "requires_shipping",
)  # fmt: skip
UNCHANGED_IF_EMPTY = ("stock", "tax_class", "weight", "requires_shipping")
PRICES = frozenset(("price", "compare_at_price"))
MAX_NAME, MAX_DESCRIPTION, MAX_TAX_CLASS = 200, 20_000, 50
MAX_CELL = 2**31 - 1
"""As long as a file may be: Python's own limit would end a cell, and take its rest for rows."""
_DECIMAL_COMMA = re.compile("[0-9]+,[0-9]{1,2}")
"""Not with three digits behind it, which may be a thousand."""
_NUMBER_OF_A_SPREADSHEET = re.compile(r"[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]+")
_WHOLE = re.compile("[0-9]{1,18}")
_TRUTHS = {
    "": None, "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False,
    # What spreadsheets in German, French, Spanish, Italian and Dutch write.
    "wahr": True, "falsch": False, "vrai": True, "faux": False, "verdadero": True, "falso": False,
    "vero": True, "waar": True, "onwaar": False,
}  # fmt: skip
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
"""What Python's `surrogateescape` makes of bytes that are not UTF-8."""


class NotAProductList(ValueError):
    """The file as a whole cannot be read; the message says why."""


class OptionalValues(TypedDict, total=False):
    """What a row may leave out: `stock` in units on hand, `compare_at_price` in minor units, `weight` in
    grams of one unit."""

    stock: int
    description: str
    category: Path
    compare_at_price: int | None
    tax_class: str
    weight: int
    requires_shipping: bool


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


class ProductList:
    """An iterator over the rows of a CSV text; `unknown` names the columns that it ignores."""

    def __init__(
        self,
        lines: Iterable[str],
        currency: str,
        start: int = 0,
        first_lines: Mapping[str, int] | None = None,
    ) -> None:
        """Read the header, and continue with the row that begins on line `start`.

        `first_lines`, as `repeated` returns it, is needed to continue: rows before `start` are not
        read again, and a SKU that one of them has is refused.

        Raises:
            NotAProductList: no header, a required column missing, or a column twice.
        """
        csv.field_size_limit(MAX_CELL)
        self._lines = Lines(lines)
        self._delimiter = read_delimiter(self._lines, REQUIRED)
        if self._delimiter not in DELIMITERS:
            raise NotAProductList(
                "The first line names no separator that is known: use sep=; or sep=,"
            )
        self._reader = csv.reader(
            self._lines, delimiter=self._delimiter, strict=True, skipinitialspace=True
        )
        self._currency = currency
        self._header = self._read_header()
        self._first_lines: dict[str, int] = dict(first_lines or {})
        self._notes_skus = first_lines is None
        self.unknown = [_printable(name) for name in self._header if name and name not in COLUMNS]
        if start >= self.next_line:
            self._lines.skip_to(start)

    @property
    def next_line(self) -> int:
        """The number of the line on which the next row begins."""
        return self._lines.next_number

    def __iter__(self) -> Iterator[ImportRow | BadRow]:
        for line, cells in self._rows():
            row = cells if isinstance(cells, BadRow) else self._row(line, cells)
            yield self._with_lines(row) if isinstance(row, BadRow) else row

    def repeated(self) -> dict[str, int]:
        """The SKUs that several of the remaining rows have, each with the line of the first of them.
        It reads the file to its end."""
        first_lines: dict[str, int] = {}
        repeated: dict[str, int] = {}
        for line, cells in self._rows():
            if isinstance(cells, BadRow) or self._why_unreadable(cells):
                continue
            if (sku := self._sku(cells)) is not None:
                first = first_lines.setdefault(sku, line)
                if first != line:
                    repeated[sku] = first
        return repeated

    def _sku(self, cells: Sequence[str]) -> str | None:
        place = self._header.index("sku")
        try:
            return _read_sku(cells[place]) if place < len(cells) else None
        except NotText:
            return None  # such a row is refused, however often it comes

    def _rows(self) -> Iterator[tuple[int, list[str] | BadRow]]:
        while True:
            line = self._lines.begin_row()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                reason = f"Not readable as CSV: {describe(error)}"
                yield line, self._refuse_unreadable(line, reason, str(error) == NEVER_CLOSED)
                continue
            if self._has_surplus(cells) and any('"' in part for part in self._lines.row):
                yield line, self._refuse_unreadable(line, self._surplus_of(cells))
                continue
            if "".join(cells).strip():
                yield line, cells

    def _refuse_unreadable(self, line: int, reason: str, is_never_closed: bool = False) -> BadRow:
        """Refuse a row with the lines that may be its text: what stands in a cell must never change a
        product. They are taken only if the file ends within a cell of one line, and each is a whole row."""
        is_closed = self._lines.read_to_end_of_row(self._delimiter)
        if is_never_closed and not is_closed and self._are_whole_rows(self._lines.row):
            self._lines.push_back(len(self._lines.row) - 1)
        return BadRow(line, f"{reason}.")

    def _with_lines(self, row: BadRow) -> BadRow:
        """The refusal, with the lines of the file that are refused together with its first."""
        others = len(self._lines.row) - 1
        if not others:
            return row
        last = row.line + others
        lines = f"line {last}" if others == 1 else f"lines {row.line + 1} to {last}"
        reason = row.reason.rstrip(".")
        return BadRow(row.line, f"{reason}; {lines} not taken, as they may be its text.")

    def _are_whole_rows(self, lines: Sequence[str]) -> bool:
        first, *others = lines
        delimiters = len(self._header) - 1
        column = first.partition('"')[0].count(self._delimiter)
        has_one_line = self._header[column : column + 1] not in ([], ["description"])
        return (
            has_one_line
            and first.count(self._delimiter) == delimiters
            and all(
                '"' not in line and line.count(self._delimiter) == delimiters
                for line in others
                if line.strip()
            )
        )

    def _has_surplus(self, cells: Sequence[str]) -> bool:
        surplus = cells[len(self._header) :]
        return bool(surplus) and bool("".join(surplus).strip())

    def _surplus_of(self, cells: Sequence[str]) -> str:
        return f"{len(cells)} cells under {len(self._header)} columns"

    def _why_unreadable(self, cells: Sequence[str]) -> str:
        text = "".join(cells)
        if self._has_surplus(cells):
            return f"{self._surplus_of(cells)}."
        is_utf8 = text.isascii() or not _NOT_UTF8.search(text)
        return "" if is_utf8 else "The text is not UTF-8."

    def _read_header(self) -> list[str]:
        try:
            cells: list[str] = next((row for row in self._reader if "".join(row).strip()), [])
        except csv.Error as error:
            raise NotAProductList(f"The file is not readable as CSV: {describe(error)}.") from None
        header = [cell.strip().lower() for cell in cells]
        missing = [name for name in REQUIRED if name not in header]
        if missing and "\0" in "".join(cells):
            raise NotAProductList("The file is not in UTF-8, nor in UTF-16 with a byte order mark.")
        if missing:
            hint = "" if len(header) > 1 else " Columns are separated by commas or semicolons."
            raise NotAProductList(f"The header has no column {', '.join(missing)}.{hint}")
        repeated = [name for name in COLUMNS if header.count(name) > 1]
        if repeated:
            raise NotAProductList(f"The header has the column {repeated[0]} twice.")
        return header

    def _row(self, line: int, cells: Sequence[str]) -> ImportRow | BadRow:
        if reason := self._why_unreadable(cells):
            return BadRow(line, reason)
        if (first := self._first_line(line, cells)) != line:
            return BadRow(line, f"sku: The same as on line {first}.")
        by_column = {name: cell for name, cell in zip(self._header, cells) if name in COLUMNS}  # noqa: B905 - cells at the end may be missing
        if self._delimiter == ";":
            for name in PRICES & by_column.keys():
                by_column[name] = _with_decimal_point(by_column[name])
        return check_row(line, by_column, self._currency)

    def _first_line(self, line: int, cells: Sequence[str]) -> int:
        """The line of the first row with the SKU of this one, which may be this one."""
        sku = self._sku(cells)
        if sku is None:
            return line
        if self._notes_skus:
            return self._first_lines.setdefault(sku, line)
        return self._first_lines.get(sku, line)


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
    for name in UNCHANGED_IF_EMPTY:
        if values.get(name, 0) is None:
            del values[name]
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


def _whole(cell: str, highest: int) -> int | None:
    text = cell.strip()
    if not text:
        return None
    if not (_WHOLE.fullmatch(text) and int(text) <= highest):
        raise NotText(f"A whole number from 0 to {highest}.")
    return int(text)


def _tax_class(cell: str) -> str | None:
    return clean(unescape(cell), 0, MAX_TAX_CLASS).casefold()[:MAX_TAX_CLASS] or None


def _truth(cell: str) -> bool | None:
    """Whether a cell says yes, as people and spreadsheets of several languages write it."""
    word = cell.strip()[:10].casefold()
    if word not in _TRUTHS:
        raise NotText("true or false.")
    return _TRUTHS[word]


def _same_currency(cell: str, currency: str) -> None:
    if cell.strip().upper() not in ("", currency):
        raise NotText(f"This shop sells in {currency}.")


def _with_decimal_point(cell: str) -> str:
    """A price as it is written where cells are separated by semicolons: `12,50` is 12.50."""
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell.strip()) else cell


def is_shortened(sku: str) -> bool:
    """Whether this is a number as spreadsheets shorten it: `7.1172E+11`."""
    return bool(_NUMBER_OF_A_SPREADSHEET.fullmatch(sku))


def _read_sku(cell: str) -> str:
    if cell.startswith("'"):  # as `export_service` writes it, and people do
        return clean_sku(cell[1:])
    sku = clean_sku(cell)
    if is_shortened(sku):
        raise NotText("A spreadsheet has shortened this number: format the column as text")
    return sku


_READERS: Mapping[str, Callable[[str, str], object]] = {
    "sku": lambda cell, _: _read_sku(cell),
    "name": lambda cell, _: clean(unescape(cell), 1, MAX_NAME),
    "price": _price,
    "stock": lambda cell, _: _whole(cell, MAX_STOCK),
    "description": lambda cell, _: clean(unescape(cell), 0, MAX_DESCRIPTION, lines=True),
    "category": lambda cell, _: read_path(unescape(cell)),
    "compare_at_price": _price_or_none,
    "currency": _same_currency,
    "tax_class": lambda cell, _: _tax_class(cell),
    "weight": lambda cell, _: _whole(cell, MAX_WEIGHT),
    "requires_shipping": lambda cell, _: _truth(cell),
}
