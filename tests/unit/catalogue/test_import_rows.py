"""Rows of a product list: what is taken, what is refused, and with which words."""

import io

import pytest

from app.domain.catalogue.category_path import read_path, write_path
from app.domain.catalogue.csv_lines import open_text
from app.domain.catalogue.csv_rows import (
    MAX_DESCRIPTION,
    MAX_NAME,
    BadRow,
    ImportRow,
    NotAProductList,
    ProductList,
)
from app.domain.catalogue.variant_rules import MAX_SKU, MAX_STOCK
from app.domain.money import MAX_PRICE, to_text
from app.domain.text import NotText

HEADER = "sku,name,price,stock,description,category,compare_at_price,currency"


def read(*lines, header=HEADER, currency="USD"):
    text = "".join(f"{line}\n" for line in (header, *lines))
    return list(ProductList(io.StringIO(text, newline=""), currency))


def test_a_full_row_becomes_values():
    (row,) = read('A-1,"Mug, large",9.50,7,Holds tea.,Home > Kitchen,12,usd')

    assert row == ImportRow(
        2,
        "A-1",
        "Mug, large",
        950,
        {
            "stock": 7,
            "description": "Holds tea.",
            "category": ("Home", "Kitchen"),
            "compare_at_price": 1200,
        },
    )


def test_tabs_in_names_become_spaces():
    (row,) = read("A-1,Tea\tmug,9.50,,,Home\tware > Cups\tand more")

    assert (row.name, row.optional["category"]) == ("Tea mug", ("Home ware", "Cups and more"))


def test_what_a_row_leaves_out_is_not_given():
    (row,) = read("A-1,Mug,9.50", header="sku,name,price,stock,description")

    assert row.optional == {}


def test_an_empty_stock_is_left_out_and_an_empty_text_is_given():
    (row,) = read("A-1,Mug,9.50,,,,,")

    assert row.optional == {"description": "", "category": (), "compare_at_price": None}


def test_headers_are_read_in_any_case_and_order():
    (row,) = read("4,Mug,A-1", header=" PRICE ,Name, Sku")

    assert (row.sku, row.name, row.price) == ("A-1", "Mug", 400)


def test_unknown_columns_are_named():
    rows = ProductList(["sku,name,price,units_sold,\n"], "USD")

    assert rows.unknown == ["units_sold"]


def test_names_of_unknown_columns_are_fit_to_be_stored_and_shown():
    header = "sku,name,price,Größe,a\0b\n".encode("latin-1")

    rows = ProductList(open_text(io.BytesIO(header)), "USD")

    assert rows.unknown == ["gr\ufffd\ufffde", "a\ufffdb"]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "no column sku, name, price"),
        ("sku/name/price", "separated by commas or semicolons"),
        ("sep=/\nsku/name/price", "names no separator that is known"),
        ("sku,name", "no column price"),
        ("sku,name,price,Price", "column price twice"),
        ('"sku"x,name', "not readable as CSV"),
    ],
)
def test_a_file_without_the_columns_is_refused_whole(header, reason):
    with pytest.raises(NotAProductList, match=reason):
        read(header=header)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A-1,Mug", "price: missing."),
        (",Mug,1", "sku: Between 1 and 64 characters."),
        ("A\u20281,Mug,1", "sku: Only printable characters."),
        ("A\t1,Mug,1", "sku: Only printable characters."),
        ("A-1, ,1", "name: Between 1 and 200 characters."),
        ("A-1,Mug,£5", "price: Not a valid amount of money."),
        ("A-1,Mug,", "price: Not a valid amount of money."),
        ("A-1,Mug,1.999", "price: USD has 2 decimal places."),
        ("A-1,Mug,1.500", "price: USD has 2 decimal places."),
        ("A-1,Mug,-1", "price: From 0 to 999999999999.99."),
        ("A-1,Mug,1,1.5", "stock: A whole number from 0 to 1000000000."),
        ("A-1,Mug,1,-1", "stock: A whole number from 0 to 1000000000."),
        ("A-1,Mug,1,9999999999999999999", "stock: A whole number from 0 to 1000000000."),
        ("A-1,Mug,1,1,,A > > B", "category: Between 1 and 200 characters."),
        ("A-1,Mug,1,1,," + ">".join("abcdefghijk"), "category: At most 10 levels."),
        ("A-1,Mug,1,1,,,x", "compare_at_price: Not a valid amount of money."),
        ("A-1,Mug,1,1,,,,EUR", "currency: This shop sells in USD."),
        (
            "7.1172E+11,Mug,1",
            "sku: A spreadsheet has shortened this number: format the column as text.",
        ),
        ("A-1,Mug\x07,1", "name: Control characters are not allowed."),
        ("A-1,M\udcfcg,1", "The text is not UTF-8."),
        ("A-1,Mug,1,1,,,,,9", "9 cells under 8 columns."),
        (
            'A-1,"Mug" x,1',
            "Not readable as CSV: a quotation mark is neither doubled nor the end of its cell.",
        ),
    ],
)
def test_a_bad_row_says_why(line, reason):
    assert read(line) == [BadRow(2, reason)]


LEAST = {"sku": "A", "name": "M", "price": "0", "stock": "0", "compare_at_price": "0"}
MOST = {
    "sku": "A" * MAX_SKU,
    "name": "M" * MAX_NAME,
    "price": to_text(MAX_PRICE, "USD"),
    "stock": str(MAX_STOCK),
    "description": "d" * MAX_DESCRIPTION,
    "category": " > ".join("abcdefghij"),
    "compare_at_price": to_text(MAX_PRICE, "USD"),
}
TOO_MUCH = {
    "sku": "A" * (MAX_SKU + 1),
    "name": "M" * (MAX_NAME + 1),
    "price": to_text(MAX_PRICE + 1, "USD"),
    "stock": str(MAX_STOCK + 1),
    "description": "d" * (MAX_DESCRIPTION + 1),
    "category": " > ".join("abcdefghijk"),
    "compare_at_price": to_text(MAX_PRICE + 1, "USD"),
}


def test_the_least_and_the_most_of_everything_is_taken():
    least, most = (
        read(",".join(cells.values()), header=",".join(cells))[0] for cells in (LEAST, MOST)
    )

    assert (least.price, least.optional) == (0, {"stock": 0, "compare_at_price": 0})
    assert (most.sku, most.name, most.price) == (MOST["sku"], MOST["name"], MAX_PRICE)
    assert most.optional == {
        "stock": MAX_STOCK,
        "description": MOST["description"],
        "category": tuple("abcdefghij"),
        "compare_at_price": MAX_PRICE,
    }


@pytest.mark.parametrize("column", TOO_MUCH)
def test_one_more_than_the_most_is_refused(column):
    cells = {**MOST, column: TOO_MUCH[column]}

    (row,) = read(",".join(cells.values()), header=",".join(cells))

    assert isinstance(row, BadRow)
    assert row.reason.startswith(f"{column}: ")
    assert row.reason.count(":") == 1


def test_everything_wrong_with_a_row_is_said_at_once():
    (row,) = read(",Mug,x")

    assert row.reason == "sku: Between 1 and 64 characters; price: Not a valid amount of money."


def test_lines_are_those_of_the_file_also_after_rows_of_several_lines():
    rows = read('A,One,1,,"two', 'lines"', "", "B,Bad,x", "C,Three,1")

    assert [row.line for row in rows] == [2, 5, 6]


@pytest.mark.parametrize("names", [("A",), ("A", "B > C"), ("a\\", ">"), ("\\>", "x")])
def test_a_path_is_read_as_it_was_written(names):
    assert read_path(write_path(names)) == names


def test_a_path_with_control_characters_is_refused():
    with pytest.raises(NotText):
        read_path("A > \x07")


REAL = "REAL,Bolt,0.05,9,,,,"


@pytest.mark.parametrize(
    "lines",
    [
        ['Y2,Manual,1,1,"Parts list:', REAL, 'see \\"page 3\\""'],
        ['Y2,Manual,1,1,"Contents: 1/2" bolts', REAL, 'all in a bag"'],
        ['Y2,Manual,1,1,"1/2"" or 1/4" bolts', REAL, 'all in a bag"'],
        ['Y2,Manual,1,1,"1/2" bolts, 3/4", washers', REAL, 'more"'],
        ['Y2,Manual,1,1,"1/2" bolts and 3/4"', REAL, 'more"'],
        ['Y2,Manual,1,1,"Bolts 1/2", and, a, b, c, d', REAL, 'see page 3"'],
        ['Y2,Pipe,1,1,"Best" pipe in town', 'B,Bolts,1,1,"', REAL, '"'],
        ['Y2,"Manual,1', 'X,"Bolt",0.05,9', REAL, 'end"'],
        ['Y2,"Man"ual,1', REAL, 'X,"Bowl, deep",2'],
        ['Y2,Manual,1,1,"Contents: 1/2" bolts', REAL],
        ['Y2,Manual,1,1,"Old price list:', REAL],
        ['Y2,Manual,1,1,"Parts list:', REAL, "see page 3"],
    ],
)
def test_what_may_be_the_text_of_a_broken_cell_is_never_a_row(lines):
    last = f"line {1 + len(lines)}" if len(lines) == 2 else f"lines 3 to {1 + len(lines)}"

    (row,) = read(*lines)

    assert row.line == 2
    assert isinstance(row, BadRow)
    assert row.reason.endswith(f"; {last} not taken, as they may be its text.")


def test_a_blank_before_a_quote_is_no_text():
    (row,) = read('Y2,Manual,1,1, "Parts:', REAL, 'end"')

    assert (row.sku, row.optional["description"]) == ("Y2", f"Parts:\n{REAL}\nend")


@pytest.mark.parametrize(
    "lines",
    [
        ['Y2,"Man"ual",1'],
        ['Y2,Manual,1,1,"Parts list:', "some bolts", 'see \\"page 3\\""'],
        ['Y2,Manual,1,1,"1/2" bolts"'],
    ],
)
def test_rows_after_an_unreadable_one_that_has_ended_are_taken(lines):
    bad, *good = read(*lines, "C-1,Cup,1", 'D-1,"Bowl, deep",2', "E-1,Egg,1")

    assert (bad.line, [row.sku for row in good]) == (2, ["C-1", "D-1", "E-1"])


def test_a_cell_of_any_length_is_one_cell():
    (row,) = read('Y2,Manual,1,1,"' + "x" * 140_000, "REAL,Bolt,0.05,1000,,,,", '"')

    assert row.line == 2
    assert row.reason.startswith(
        "description: Between 0 and 20000 characters; lines 3 to 4 not taken"
    )


def test_whole_rows_after_a_quote_that_is_never_closed_are_rows():
    many = [f"C-{number},A name of some length,1" for number in range(9000)]

    bad, *good = read('B-1,"Jug,4', *many, header="sku,name,price")

    assert (bad.line, len(good), good[-1].line) == (2, 9000, 9002)
    assert bad.reason == "Not readable as CSV: a quotation mark is never closed."


@pytest.mark.parametrize(
    "text", ["REAL,Bolt,0.05,1000", "Parts list:\nREAL,Bolt,0.05,1000,x", "REAL,Bolt,0.05,1,,a,b"]
)
def test_text_after_a_quote_that_is_never_closed_is_no_row(text):
    lines = ['Y2,Manual,1.00,1,"Parts list:', *text.split("\n")]

    (bad,) = read(*lines, header="sku,name,price,stock,description")

    assert bad.line == 2
    assert "not taken, as they may be its text" in bad.reason


def test_rows_without_text_are_skipped_and_empty_surplus_cells_ignored():
    rows = read("A,One,1", ",,,,,,,", " , ,\t", ",,,,,,,,,,", "B,Two,2,,,,,,, ,")

    assert [(row.line, row.sku) for row in rows] == [(2, "A"), (6, "B")]


@pytest.mark.parametrize(
    "header",
    [
        "sku;name;price",
        "sep=;\nsku;name;price",
        '"sep=;"\nsku;name;price',
        "sep=;;;\n;;\nsku;name;price",
    ],
)
def test_cells_may_be_separated_by_semicolons_and_prices_have_a_decimal_comma(header):
    good, refused = read('A;"Mug, large";12,50', "B;Jug;1.299,00", header=header)

    assert (good.sku, good.name, good.price) == ("A", "Mug, large", 1250)
    assert refused.reason == "price: Not a valid amount of money."


@pytest.mark.parametrize(
    ("delimiter", "price", "currency"),
    [
        (",", '"12,50"', "USD"),
        ("\t", "12,50", "USD"),
        ("\t", "1,500", "KWD"),
        (";", "1,500", "KWD"),
    ],
)
def test_a_comma_that_may_mean_thousands_is_no_decimal_comma(delimiter, price, currency):
    header = delimiter.join(("sku", "name", "price"))

    (row,) = read(delimiter.join(("A", "Mug", price)), header=header, currency=currency)

    assert row == BadRow(2, "price: Not a valid amount of money.")


def test_a_shortened_number_that_is_marked_as_text_is_a_sku():
    (row,) = read("'7E+11,Mug,1")

    assert row.sku == "7E+11"


@pytest.mark.parametrize(("cell", "sku"), [("'0012", "0012"), ("'=A1", "=A1"), ("''x", "'x")])
def test_an_apostrophe_before_a_sku_means_text(cell, sku):
    (row,) = read(f"{cell},Mug,1")

    assert row.sku == sku


def test_a_sku_that_comes_again_is_refused_naming_the_first():
    rows = read("A,One,1", "B,Two,2", "A,Three,3", "'A,Four,4", "B,Five,x")

    assert [row.line for row in rows if isinstance(row, ImportRow)] == [2, 3]
    assert [row for row in rows if isinstance(row, BadRow)] == [
        BadRow(4, "sku: The same as on line 2."),
        BadRow(5, "sku: The same as on line 2."),
        BadRow(6, "sku: The same as on line 3."),
    ]


def test_reading_goes_on_with_any_line_on_which_a_row_begins():
    rows = ["A,One,1", '"B,never closed,1', '"C","Two', 'lines",2', "", "D,Four,x", "A,Five,5"]
    lines = [f"{line}\n" for line in ("sku,name,price", *rows)]
    whole, pieces, start = list(ProductList(lines, "USD")), [], 0
    first_lines = ProductList(lines, "USD").repeated()
    for _ in whole:
        listing = ProductList(lines, "USD", start, first_lines)
        pieces.append(next(iter(listing)))
        start = listing.next_line

    assert pieces == whole
    assert list(ProductList(lines, "USD", start)) == []
    assert list(ProductList(lines, "USD", start=99)) == []


def test_skus_of_several_rows_are_found():
    lines = [
        "price,name,sku\n",
        "1,One,A\n",
        "1,Two, B\n",
        "1\n",
        "2,One,A\n",
        "x,Two,B\n",
        "1,Three,C",
    ]

    assert ProductList(lines, "USD").repeated() == {"A": 2, "B": 3}


def test_skus_that_no_article_can_have_are_not_among_them():
    lines = [*2 * ["\udce9,One,1\n"], *2 * ["A\0,One,1\n"], *2 * [",One,1\n"]]
    same = ["Caf\u00e9,One,1\n", "Cafe\u0301,One,1\n"]

    assert ProductList(["sku,name,price\n", *lines, *same], "USD").repeated() == {"Caf\u00e9": 8}


def test_text_is_utf8_with_or_without_a_mark_and_other_bytes_are_kept_to_be_refused():
    file = io.BytesIO(b"\xef\xbb\xbfsku,name,price\r\nA,Cr\xe8me,1\rB,Cr\xc3\xa8me,1\n")

    bad, good = ProductList(open_text(file), "USD")

    assert bad == BadRow(2, "The text is not UTF-8.")
    assert good.name == "Crème"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_with_a_mark_is_read_too(encoding):
    text = "sku\tname\tprice\r\nA\tCrème\t1.50\r\n"
    data = (text if encoding == "utf-16" else f"\ufeff{text}").encode(encoding)

    (row,) = ProductList(open_text(io.BytesIO(data)), "USD")

    assert (row.name, row.price) == ("Crème", 150)


def test_a_second_byte_order_mark_is_no_part_of_the_header():
    file = io.BytesIO(2 * b"\xef\xbb\xbf" + b'"sku",name,price\nA,Mug,1\n')

    (row,) = ProductList(open_text(file), "USD")

    assert row.sku == "A"


PRICING = f"{HEADER},tax_class,weight,requires_shipping"


def test_what_pricing_needs_is_read():
    row, empty = read("A-1,Book,9.50,,,,,,Reduced,350,no", "A-2,Book,9.50,,,,,,,,", header=PRICING)

    names = ("tax_class", "weight", "requires_shipping")
    assert [row.optional[name] for name in names] == ["reduced", 350, False]
    assert not empty.optional.keys() & set(names)


@pytest.mark.parametrize(
    ("word", "value"), [("TRUE", True), ("1", True), ("falsch", False), ("Vrai", True)]
)
def test_spreadsheets_write_truth_in_their_language(word, value):
    (row,) = read(f"A-1,Book,9.50,,,,,,,,{word}", header=PRICING)

    assert row.optional["requires_shipping"] is value


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (",-1,", "weight: A whole number from 0 to 10000000."),
        (",1.5,", "weight: A whole number from 0 to 10000000."),
        (",10000001,", "weight: A whole number from 0 to 10000000."),
        (f"{'x' * 51},,", "tax_class: Between 0 and 50 characters."),
        (",,perhaps", "requires_shipping: true or false."),
    ],
)
def test_what_pricing_cannot_have_is_refused(cells, reason):
    (row,) = read(f"A-1,Book,9.50,,,,,,{cells}", header=PRICING)

    assert row == BadRow(2, reason)
