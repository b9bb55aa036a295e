"""The lines of a product list: decoded, numbered, and with an end for rows that cannot be read."""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO, TextIO

BYTE_ORDER_MARK = "\ufeff"
DELIMITERS = (",", ";", "\t", "|")
NEVER_CLOSED = "unexpected end of data"
"""What csv.Error says where a file ends within a cell."""
_SEP = re.compile(r'"?sep=(.)"?\1*\s*', re.IGNORECASE)
_BLANK = "".join(DELIMITERS) + " \r\n"
_QUOTES = re.compile(r'\\"|""|"')
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def open_text(file: BinaryIO) -> TextIO:
    """The lines of a product list in UTF-8, or in UTF-16 with a byte order mark (Excel's "Unicode
    text").

    Bytes that are not UTF-8 become lone surrogates, by which their row is refused.
    """
    buffered = io.BufferedReader(file)  # type: ignore[type-var]  # any binary file will do
    if buffered.peek(2)[:2] in _UTF16:
        return io.TextIOWrapper(buffered, "utf-16", errors="replace", newline="")
    return io.TextIOWrapper(buffered, "utf-8-sig", errors="surrogateescape", newline="")


class Lines:
    """An iterator over the lines of a file that knows their numbers and the lines of the current row."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._pushed_back: deque[str] = deque()
        self._lines_read = 0
        self.row: list[str] = []
        """The lines that were read since `begin_row`."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._pushed_back.popleft() if self._pushed_back else next(self._lines)
        if not self._lines_read:
            line = line.lstrip(BYTE_ORDER_MARK)  # some programs write a second one
        self.row.append(line)
        self._lines_read += 1
        return line

    @property
    def next_number(self) -> int:
        """The number of the line that comes next."""
        return self._lines_read + 1

    def begin_row(self) -> int:
        """The number of the line on which the next row starts."""
        self.row.clear()
        return self.next_number

    def skip_to(self, number: int) -> None:
        """Continue with this line, which has not been read yet."""
        deque(islice(self._lines, number - 1 - self._lines_read), maxlen=0)
        self._lines_read = number - 1

    def push_back(self, count: int) -> None:
        """Let the last lines that were read come again."""
        if count:
            self._pushed_back.extendleft(reversed(self.row[-count:]))
            del self.row[-count:]
            self._lines_read -= count

    def read_to_end_of_row(self, delimiter: str) -> bool:
        """Read on to the line with which a row that is not valid CSV must have ended; whether there is
        one. Its quotes are wrong, so an end is only guessed, and believed if the next quote of the file
        opens a cell, or if there is none."""
        is_open = False
        for line in self.row:
            is_open = _is_open_after(line, is_open, delimiter)
        while True:
            while is_open:
                line = next(self, "")
                if not line:
                    return False
                is_open = _is_open_after(line, is_open, delimiter)
            before = len(self.row)
            line = next((line for line in self if '"' in line), "")
            if not line or _opens_a_cell(line, delimiter):
                self.push_back(len(self.row) - before)
                return True
            is_open = _is_open_after(line, is_open, delimiter)


def describe(error: csv.Error) -> str:
    """What is wrong with a row that is not valid CSV, in other words than Python's."""
    text = str(error)
    if text == NEVER_CLOSED:
        return "a quotation mark is never closed"
    if text.endswith("expected after '\"'"):
        return "a quotation mark is neither doubled nor the end of its cell"
    if "NUL" in text:  # Python 3.10; later ones read it
        return "it has a NUL character"
    if "field limit" in text:
        return "a cell is too long"
    return "it is not valid CSV"


def read_delimiter(lines: Lines, required: Sequence[str]) -> str:
    """What separates the cells: named by a first line such as `sep=;`, which Excel writes, or that
    with which the header has all required columns. Only lines before the header are used up."""
    first = next((line for line in lines if line.strip(_BLANK)), "")
    if named := _SEP.fullmatch(first):
        return named[1]
    if first:
        lines.push_back(1)
    return next((d for d in DELIMITERS if set(required) <= set(_read_names(first, d))), ",")


def _read_names(line: str, delimiter: str) -> list[str]:
    """The names of columns in a header's line; none where it is not valid CSV."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []
    return [cell.strip().lower() for cell in cells]


def _is_open_after(line: str, is_open: bool, delimiter: str) -> bool:
    """Whether a cell in quotes goes on in the next line. Of quotes that no valid file has, one ends the
    cell only if a delimiter or the end of the line follows; `""` and `\\"` are part of its text."""
    text, place = line.rstrip("\r\n"), 0
    opening = re.compile(f'(?:^|{re.escape(delimiter)}) *"')
    while True:
        if is_open:
            place = _end_of_cell(text, place, delimiter)
            if place < 0:
                return True
        elif match := opening.search(text, place):
            place = match.end()
        else:
            return False
        is_open = not is_open


def _opens_a_cell(line: str, delimiter: str) -> bool:
    """Whether the first quote of a line is the first of a cell that has text in this line."""
    before, _quote, after = line.partition('"')
    return before.rstrip(" ")[-1:] in ("", delimiter) and bool(after.strip("\r\n"))


def _end_of_cell(text: str, start: int, delimiter: str) -> int:
    for match in _QUOTES.finditer(text, start):
        after = text[match.end() : match.end() + 1]
        # At the end of a line and after a delimiter it may as well be the first quote of a cell.
        opens = not after and text[: match.start()].rstrip(" ")[-1:] in ("", delimiter)
        if match[0] == '"' and after in ("", delimiter) and not opens:
            return match.end()
    return -1
