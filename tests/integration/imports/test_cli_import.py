"""`import-products` and `export-products`."""

import csv

import pytest
from sqlalchemy import select, text

from app.cli.catalogue import BATCH
from app.domain.catalogue.listing import SEARCH_KEYS_MARK
from app.extensions import db
from app.models import Category, Product, StockMovement, Variant
from tests import factories
from tests.factories import count
from tests.sql import watched


@pytest.fixture
def shop(app):
    with app.app_context():
        yield app


@pytest.fixture
def run(shop, tmp_path):
    """Import lines of CSV; the result of the command."""

    def invoke(*lines, options=(), encoding="utf-8"):
        path = tmp_path / "products.csv"
        path.write_bytes("\n".join(lines).encode(encoding))
        return shop.test_cli_runner().invoke(args=["import-products", str(path), *options])

    return invoke


def figures(result):
    """The last line's numbers: created, updated, unchanged, refused, categories."""
    words = result.stdout.strip().splitlines()[-1].split()
    return tuple(int(word) for word in words if word.isdigit())


def article(sku):
    db.session.rollback()
    query = select(Variant, Product).join(Product, Product.id == Variant.product_id)
    return db.session.execute(
        query.where(Variant.sku == sku, Variant.deleted_at.is_(None)),
        execution_options={"populate_existing": True},
    ).one()


def ledger(variant):
    query = select(StockMovement).where(StockMovement.variant_id == variant.id)
    rows = db.session.scalars(query.order_by(StockMovement.id))
    return [(row.on_hand_delta, row.reason) for row in rows]


def test_a_new_sku_becomes_a_product_with_its_stock_in_the_ledger(run):
    result = run("sku,name,price,stock,description", "M-1,Café Mug,9.50,7,Holds tea.")

    assert (result.exit_code, figures(result)) == (0, (1, 0, 0, 0, 0))
    variant, product = article("M-1")
    assert (variant.price, variant.on_hand, product.slug) == (950, 7, "cafe-mug")
    assert (product.price, product.name_key, product.search_title, product.search_body) == (
        950,
        "cafe mug",
        f"{SEARCH_KEYS_MARK}cafe mug m 1",
        "holds tea",
    )
    assert ledger(variant) == [(7, "import")]


@pytest.mark.only_on("postgresql")
def test_an_import_ends_while_somebody_vacuums_the_table(run):
    with db.engine.begin() as other:  # the lock of VACUUM, and of an index that is being made
        other.execute(text("LOCK TABLE products IN SHARE UPDATE EXCLUSIVE MODE"))

        result = run("sku,name,price", "M-1,Mug,9.50")

    assert (result.exit_code, figures(result)) == (0, (1, 0, 0, 0, 0))


@pytest.mark.only_on("postgresql")
def test_after_the_first_rows_the_database_plans_for_many(shop, run):
    asked = []
    with watched(shop, lambda statement, _given: asked.append(statement)):
        run("sku,name,price", *(f"M-{number},Mug {number},9.50" for number in range(BATCH + 1)))

    steps = [s.split()[0] for s in asked if s.startswith("ANALYZE") or "FOR NO KEY" in s]
    assert steps == ["SELECT", "SELECT", "ANALYZE", "SELECT", "SELECT", "ANALYZE"]


def test_a_new_product_without_a_stock_has_none_and_no_ledger(run):
    run("sku,name,price", "M-1,Mug,9.50")

    variant, _ = article("M-1")
    assert variant.on_hand == 0
    assert ledger(variant) == []


def test_a_known_sku_is_changed_and_its_version_rises(run):
    factories.product(sku="M-1", price=500, stock=4, description="Old.")

    result = run("sku,name,price,stock", "M-1,New Name,6.00,9")

    variant, product = article("M-1")
    assert figures(result) == (0, 1, 0, 0, 0)
    assert (product.name, product.description, product.price) == ("New Name", "Old.", 600)
    assert (product.version, variant.price, variant.on_hand) == (2, 600, 9)
    assert ledger(variant)[-1] == (5, "import")


def test_a_stock_that_is_left_out_stays(run):
    factories.product(sku="M-1", stock=4)

    run("sku,name,price,stock", "M-1,Mug,6.00,")

    assert article("M-1")[0].on_hand == 4


def test_a_change_of_stock_alone_is_no_new_version(run):
    factories.product(sku="M-1", price=600, stock=4, name="Mug")

    run("sku,name,price,stock", "M-1,Mug,6.00,5")

    variant, product = article("M-1")
    assert (variant.on_hand, product.version) == (5, 1)


def test_empty_cells_empty_what_may_be_empty(run):
    row = factories.category()
    factories.product(sku="M-1", description="Old.", category_id=row.id, compare_at_price=900)

    run("sku,name,price,description,category,compare_at_price", "M-1,Mug,6.00,,,")

    _, product = article("M-1")
    assert (product.description, product.category_id, product.compare_at_price) == ("", None, None)


def test_a_row_of_several_variants_changes_its_own_price_and_stock_only(run):
    factories.product_with_variants(
        [
            {"sku": "T-S", "price": 1000, "stock": 3, "options": {"Size": "S"}},
            {"sku": "T-M", "price": 1200, "stock": 3, "options": {"Size": "M"}},
        ],
        name="Tee",
    )

    run("sku,name,price,stock,description", "T-S,Other,15.00,8,Other.")

    variant, product = article("T-S")
    assert (variant.price, variant.on_hand) == (1500, 8)
    assert (product.name, product.description, product.price) == ("Tee", "", 1200)


def test_what_a_row_cannot_change_is_counted_in_one_warning(run):
    home = factories.category(name="Home")
    factories.product_with_variants(
        [
            {"sku": "T-S", "price": 1000, "options": {"Size": "S"}},
            {"sku": "T-M", "price": 1200, "options": {"Size": "M"}},
        ],
        name="Tee",
        category_id=home.id,
    )
    header = "sku,name,price,description,category,compare_at_price"

    told = run(header, "T-S,Other,9,Soft.,Home,", "T-M,Tee,9,Soft.,Garden,12")
    untold = run(header, "T-S,Tee,9,,home,", "T-M,Tee,8,,Home,")
    emptied = run("sku,name,price,category", "T-S,Tee,9,", options=["--dry-run"])

    assert told.exit_code == 0
    assert told.stderr.splitlines()[-1] == (
        "Warning: not changed, as the product has several variants:"
        " category (1×), compare_at_price (1×), description (2×), name (1×)."
    )
    assert "Warning" not in untold.stderr
    assert "several variants: category (1×)." in emptied.stderr
    assert count(Category) == 1


def test_a_variant_that_is_switched_off_does_not_speak_for_the_product(run):
    factories.product_with_variants(
        [
            {"sku": "T-S", "price": 1000, "options": {"Size": "S"}},
            {"sku": "T-M", "price": 1200, "options": {"Size": "M"}, "is_active": False},
        ],
        name="Tee",
    )

    run("sku,name,price", "T-S,Shirt,11.00", "T-M,Tee,13.00")

    variant, product = article("T-M")
    assert (variant.price, product.name, product.price) == (1300, "Shirt", 1100)


def test_less_than_is_promised_to_orders_is_refused(run):
    row = factories.product(sku="M-1", stock=5)
    with db.engine.begin() as connection:
        variants = Variant.__table__
        connection.execute(
            variants.update().where(variants.c.product_id == row.id).values(allocated=3)
        )

    result = run("sku,name,price,stock", "M-1,Mug,6.00,2", "M-2,Jug,7.00,1")

    assert result.exit_code == 1
    assert "line 2: stock: 3 are promised to orders." in result.stderr
    assert figures(result) == (1, 0, 0, 1, 0)
    assert article("M-1")[0].on_hand == 5


def test_bad_rows_are_named_and_the_others_go_in(run):
    result = run("sku,name,price,currency", "A,One,1.999,USD", "B,Two,2,EUR", "C,Three,3,USD")

    assert result.exit_code == 1
    assert "line 2: price: USD has 2 decimal places." in result.stderr
    assert "line 3: currency: This shop sells in USD." in result.stderr
    assert (figures(result), count(Product)) == ((1, 0, 0, 2, 0), 1)


def test_skus_are_case_sensitive_and_names_may_repeat(run):
    run("sku,name,price", "15056bl,Parasol,5.95", "15056BL,Parasol,6.95")

    assert [article(sku)[0].price for sku in ("15056bl", "15056BL")] == [595, 695]
    assert article("15056bl")[1].slug != article("15056BL")[1].slug


def test_a_sku_that_comes_again_in_a_list_is_refused_naming_the_first(run):
    result = run("sku,name,price,stock", "A,One,1,5", "A,Two,2,3", "'A,Two,2,3")

    variant, product = article("A")
    assert figures(result) == (1, 0, 0, 2, 0)
    assert (product.name, variant.price, variant.on_hand) == ("One", 100, 5)
    assert "line 3: sku: The same as on line 2." in result.stderr
    assert ledger(variant) == [(5, "import")]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            ['"Parts list:', "REAL,Spare bolt,0.05,1000", 'see \\"page 3\\""'],
            "lines 3 to 4 not taken",
        ),
        (['"Contents: 1/2" bolts', 'REAL,Spare bolt,0.05,1000"'], "line 3 not taken"),
        (['"Contents:', "REAL,Spare bolt,0.05,1000"], "line 3 not taken"),
        (['"' + "x" * 140_000, "REAL,Spare bolt,0.05,1000", '"'], "description: Between 0 and"),
    ],
    ids=["backslashes", "an inch", "never closed", "long"],
)
def test_text_in_a_broken_cell_changes_no_product(run, lines, told):
    factories.product(sku="REAL", price=9900, stock=3, name="Real")

    result = run("sku,name,price,stock,description", f"Y2,Manual,1.00,1,{lines[0]}", *lines[1:])

    variant, product = article("REAL")
    assert (product.name, variant.price, variant.on_hand) == ("Real", 9900, 3)
    assert figures(result) == (0, 0, 0, 1, 0)
    assert told in result.stderr


def test_a_sku_of_a_deleted_product_is_free(run):
    gone = factories.product(sku="A", slug="one")
    with db.engine.begin() as connection:
        for table in (Product.__table__, Variant.__table__):
            connection.execute(table.update().values(deleted_at=gone.created_at))

    result = run("sku,name,price", "A,One,1")

    assert figures(result) == (1, 0, 0, 0, 0)
    assert article("A")[1].slug == "one"


def test_categories_are_found_by_path_or_name_and_made_when_missing(run):
    home = factories.category(name="Home", slug="home")
    kitchen = factories.category(name="Kitchen", slug="kitchen", parent_id=home.id)

    result = run(
        "sku,name,price,category",
        "A,One,1,home > KITCHEN",
        "B,Two,1,Kitchen",
        "C,Three,1,Garden > Kitchen > Pots",
        "D,Four,1,Garden",
        "E,Five,1,Kitchen",
    )

    found = {sku: article(sku)[1].category_id for sku in "ABCD"}
    assert found["A"] == found["B"] == kitchen.id
    assert figures(result) == (4, 0, 0, 1, 3)
    two = "category: There are “Home > Kitchen” and “Garden > Kitchen”: give the whole path."
    assert f"line 6: {two}" in result.stderr
    pots = db.session.get(Category, found["C"])
    assert pots.name == "Pots"
    assert db.session.get(Category, pots.parent_id).slug.startswith("kitchen-")
    assert db.session.get(Category, found["D"]).parent_id is None


def test_a_dry_run_tells_the_same_and_changes_nothing(run):
    factories.product(sku="A", price=100, stock=1, name="One")
    lines = [
        "sku,name,price,category",
        *(f"N-{n % 2500},Thing,1,Shelf {n % 3}" for n in range(2600)),
    ]
    lines += ["A,One,1,", "A,Uno,1,", "B,Bad,x,"]

    rehearsed = run(*lines, options=["--dry-run"])
    untouched = (count(Product), count(Category), count(StockMovement), article("A")[1].name)
    done = run(*lines)

    assert untouched == (1, 0, 1, "One")
    assert figures(rehearsed) == figures(done) == (2500, 0, 1, 102, 3)
    assert rehearsed.exit_code == done.exit_code == 1
    assert count(Product) == 2501


def test_unknown_columns_are_ignored_with_one_warning(run):
    result = run("sku,name,price,units_sold,colour", "A,One,1,5,red", "B,Two,1,5,blue")

    assert result.stderr.count("unknown columns are ignored: units_sold, colour") == 1
    assert result.exit_code == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_a_byte_order_mark_is_no_part_of_the_header(run, encoding):
    result = run("SKU , Name,PRICE", "A,Crème,1", encoding=encoding)

    assert (result.exit_code, article("A")[1].name) == (0, "Crème")


def test_another_encoding_is_told_by_row(run):
    result = run("sku,name,price", "A,Crème,1", "B,Jug,1", encoding="latin-1")

    assert "line 2: The text is not UTF-8." in result.stderr
    assert figures(result) == (1, 0, 0, 1, 0)


def test_a_file_without_the_columns_fails(run):
    result = run("sku,title", "A,One")

    assert result.exit_code == 1
    assert "no column name, price" in result.stderr


def test_a_file_that_is_not_there_is_wrong_usage(shop):
    assert shop.test_cli_runner().invoke(args=["import-products", "nowhere.csv"]).exit_code == 2


def test_a_list_may_come_from_standard_input(shop):
    runner = shop.test_cli_runner()

    result = runner.invoke(args=["import-products", "-"], input="sku,name,price\nA,One,1\n")

    assert figures(result) == (1, 0, 0, 0, 0)


def test_what_was_exported_changes_nothing_when_imported(shop, run, tmp_path):
    home = factories.category(name="Home > Garden")
    pots = factories.category(name="Pots", parent_id=home.id)
    factories.product(sku="=A", name='Mug, "large"', description="Two\nlines.", category_id=pots.id)
    factories.product(sku="B", compare_at_price=1500, price=1250, stock=0)
    factories.product_with_variants(
        [{"sku": "T-S", "options": {"Size": "S"}}, {"sku": "T-M", "options": {"Size": "M"}}]
    )
    plus = factories.category(name="+1 day")
    factories.product(sku="'=B", name="'@home", description="-1\n=2", category_id=plus.id)
    factories.product(sku="'tis", name="-5", description="@me")
    factories.product(sku="''0012", name="'0012")
    factories.product(sku="7E+11")
    runner, path = shop.test_cli_runner(), tmp_path / "exported.csv"

    exported = runner.invoke(args=["export-products"])
    runner.invoke(args=["export-products", "--output", str(path)])
    result = runner.invoke(args=["import-products", str(path)])

    assert path.read_text(encoding="utf-8") == exported.stdout
    assert r",Home \> Garden > Pots," in exported.stdout
    assert figures(result) == (0, 0, 8, 0, 0)
    cells = [cell for row in csv.reader(exported.stdout.splitlines(keepends=True)) for cell in row]
    texts = {
        "'=A",
        "''=B",
        "''@home",
        "'+1 day",
        "''tis",
        "'''0012",
        "'0012",
        "'-5",
        "'@me",
        "'7E+11",
    }
    assert texts <= set(cells)
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []


def test_an_export_for_a_spreadsheet_begins_with_a_byte_order_mark(shop, tmp_path):
    factories.product(sku="A", name="Crème")
    runner, path = shop.test_cli_runner(), tmp_path / "exported.csv"

    runner.invoke(args=["export-products", "--spreadsheet", "--output", str(path)])
    result = runner.invoke(args=["import-products", str(path)])

    assert path.read_bytes().startswith(b"\xef\xbb\xbfsku,")
    assert figures(result) == (0, 0, 1, 0, 0)


def test_inactive_things_are_exported_on_request_only(shop):
    factories.product(sku="ON")
    factories.product(sku="OFF", is_active=False)
    runner = shop.test_cli_runner()

    usual, all_of_it = (
        runner.invoke(args=["export-products", *options]).stdout for options in ([], ["--all"])
    )

    assert "ON," in usual
    assert "OFF," not in usual
    assert "OFF," in all_of_it


def test_a_changed_product_is_read_fresh(shop, anyone, run):
    row = factories.product(sku="M-1", name="Mug")
    anyone.get(f"/api/products/{row.id}")

    run("sku,name,price", "M-1,Renamed,6.00")

    assert anyone.get(f"/api/products/{row.id}").json["name"] == "Renamed"


def test_what_pricing_needs_comes_in_and_is_undone(shop, run):
    factories.product(sku="OLD", price=950, name="Book")
    header = "sku,name,price,tax_class,weight,requires_shipping"
    result = run(header, "OLD,Book,9.50,reduced,350,", "NEW,Voucher,20.00,zero,,false")
    assert figures(result) == (1, 1, 0, 0, 0)

    variant, product = article("OLD")
    assert (product.tax_class, variant.weight, product.requires_shipping) == ("reduced", 350, True)
    assert product.version == 2
    variant, product = article("NEW")
    assert (product.tax_class, variant.weight, product.requires_shipping) == ("zero", 0, False)
    assert figures(run(header, "OLD,Book,9.50,reduced,350,", "NEW,Voucher,20.00,zero,,false")) == (
        0, 0, 2, 0, 0,
    )  # fmt: skip

    reference = result.stdout.split("undo-import ")[1].split()[0]
    assert shop.test_cli_runner().invoke(args=["undo-import", reference]).exit_code == 0
    variant, product = article("OLD")
    assert (product.tax_class, variant.weight) == ("standard", 0)


def test_the_weight_of_one_of_several_variants_is_its_own(run):
    sizes = [{"sku": "S", "options": {"Size": "S"}}, {"sku": "L", "options": {"Size": "L"}}]
    factories.product_with_variants(sizes)
    run("sku,name,price,weight,tax_class", "S,Shirt,10.00,180,reduced")

    assert article("S")[0].weight == 180
    assert article("L")[0].weight == 0
    assert article("S")[1].tax_class == "standard"
