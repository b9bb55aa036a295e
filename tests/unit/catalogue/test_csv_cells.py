"""Text of CSV cells: no formula to a spreadsheet, and the same after a round trip."""

import csv
import io
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import ROOT
from app.domain.catalogue.csv_cells import CsvWriter, escape, unescape

DANGEROUS = tuple("=+-@\t\r\n＝＋－＠")
texts = st.text() | st.text(st.sampled_from("'=+-@\t\r\na1")) | st.from_regex("'*[=+@-].*")


@given(texts)
def test_a_round_trip_changes_nothing(text):
    assert unescape(escape(text)) == text


@given(texts)
def test_no_cell_begins_as_a_formula(text):
    assert not str(escape(text)).startswith(DANGEROUS)


@given(st.lists(st.lists(texts, min_size=2, max_size=4), max_size=5))
def test_a_written_file_reads_back_as_it_was(rows):
    file = io.StringIO()
    writer = CsvWriter(file)
    for row in rows:
        writer.write(row)

    read = csv.reader(io.StringIO(file.getvalue(), newline=""), strict=True)

    assert [[unescape(cell) for cell in row] for row in read] == rows


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"), ("'=1+1", "''=1+1"), ("-5", "'-5"), ("\tx", "'\tx"), ("\rx", "'\rx"),
        ("'tis", "'tis"), ("'", "'"), ("", ""), (" =1", " =1"), ("a=1", "a=1"),
    ],
)  # fmt: skip
def test_text_is_written_so(text, written):
    assert escape(text) == written


def test_negative_numbers_stay_numbers():
    file = io.StringIO()
    CsvWriter(file).write([-5, Decimal("-1.50"), "-1.50"])

    assert file.getvalue() == "-5,-1.50,'-1.50\n"


def test_all_exports_are_written_by_it():
    writers = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "app").rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)", path.read_text("utf-8"))
    }

    assert writers == {"app/domain/catalogue/csv_cells.py"}
