"""Undoing an import: fields that nobody edited since get back what they were."""

import pytest

from app.extensions import db
from app.models import AuditEvent, ImportJob, Product, StockMovement, Variant
from app.services.imports import import_undo
from tests import factories
from tests.integration.books import assert_books_balance
from tests.integration.browsing import form_of
from tests.integration.pages.test_admin_imports import (
    STAFF,
    import_now,
    looked_over,
    path_of,
    small_batches,
)
from tests.integration.people import change, inside, only_row, rows
from tests.integration.shopping import order
from tests.integration.staff import signed_in_staff

pytestmark = pytest.mark.thorough

__all__ = ["small_batches"]


@pytest.fixture
def staff(app):
    return signed_in_staff(app, STAFF)


@pytest.fixture
def products(app):
    """Ten products at 10.00, with 5 of each."""
    return [
        inside(app, factories.product, sku=f"P{n}", name=f"Thing {n}", price=1000, stock=5)
        for n in range(10)
    ]


def wrong_list(count=10):
    """Prices a hundredth of what they should be, and other names."""
    return ["sku,name,price,stock", *(f"P{n},Cheap {n},0.10,9" for n in range(count))]


def state(app):
    names = {row.id: row.name for row in rows(app, Product)}
    return {row.sku: (row.price, names[row.product_id]) for row in rows(app, Variant)}


RIGHT = {f"P{n}": (1000, f"Thing {n}") for n in range(10)}
WRONG = {f"P{n}": (10, f"Cheap {n}") for n in range(10)}


def cli(app, *arguments, **options):
    return app.test_cli_runner().invoke(args=list(arguments), **options)


def test_a_page_undoes_its_import(app, staff, products):
    looked_over(staff, *wrong_list())
    import_now(staff, path_of(app))
    assert state(app) == WRONG

    preview = staff.get(f"{path_of(app)}?undo=1").text
    staff.send(f"{path_of(app)}/undo")
    page = staff.get(path_of(app)).text

    assert "10 products would be as they were before; 0 were edited since" in preview
    assert "10 products are as they were before; 0 were edited since" in page
    assert form_of(page, f"{path_of(app)}/undo") is None
    assert state(app) == RIGHT
    assert {row.on_hand for row in rows(app, Variant)} == {9}, "stock stays"
    assert {row.version for row in rows(app, Product)} == {3}
    inside(app, assert_books_balance)


def test_a_preview_changes_nothing(app, staff, products):
    looked_over(staff, *wrong_list())
    import_now(staff, path_of(app))
    before = len(rows(app, AuditEvent))

    staff.get(f"{path_of(app)}?undo=1")

    assert (state(app), len(rows(app, AuditEvent))) == (WRONG, before)


def test_what_was_edited_since_stays_and_is_named(app, staff, products, admin):
    looked_over(staff, *wrong_list())
    import_now(staff, path_of(app))
    admin.patch(f"/api/products/{products[3].id}", json={"price": "12.00"})

    staff.send(f"{path_of(app)}/undo")
    page = staff.get(path_of(app)).text

    assert state(app) == {**RIGHT, "P3": (1200, "Cheap 3")}
    assert f'<a href="/admin/products/{products[3].id}">' in page
    assert "9 products are as they were before; 1 were edited since" in page


def test_it_is_done_in_batches_and_can_be_begun_again(
    app, staff, products, small_batches, monkeypatch
):
    monkeypatch.setattr(import_undo, "BATCH", 3)
    looked_over(staff, *wrong_list())
    import_now(staff, path_of(app))

    staff.send(f"{path_of(app)}/undo")
    some = sum(price == 1000 for price, _name in state(app).values())
    page = staff.get(path_of(app))
    while form_of(page.text, f"{path_of(app)}/undo"):
        page = staff.follow(staff.send(f"{path_of(app)}/undo"))

    assert 0 < some < 10
    assert state(app) == RIGHT
    assert only_row(app, ImportJob).report["undo"]["put_back"] == 10


def test_two_rows_of_one_article_lead_back_to_before_the_first(app, staff, products, small_batches):
    again = [f"P{n},Dear {n},99.00,9" for n in range(10)]
    looked_over(staff, *wrong_list(), *again)
    import_now(staff, path_of(app))

    staff.send(f"{path_of(app)}/undo")
    while form_of(staff.get(path_of(app)).text, f"{path_of(app)}/undo"):
        staff.send(f"{path_of(app)}/undo")

    assert state(app) == RIGHT


def test_variants_and_what_was_sold_meanwhile(app, staff, customer):
    sizes = [
        {"sku": f"T-{n}", "price": 1000, "stock": 10, "options": {"N": str(n)}} for n in (1, 2)
    ]
    inside(app, factories.product_with_variants, sizes, name="Tee")
    mug = inside(app, factories.product, sku="MUG", price=1000, stock=5)
    looked_over(staff, "sku,name,price", "T-1,Tee,0.10", "T-2,Tee,0.20", "MUG,Mug,0.10")
    import_now(staff, path_of(app))
    order(customer, mug, 2)

    staff.send(f"{path_of(app)}/undo")

    assert {row.sku: row.price for row in rows(app, Variant)} == {
        "T-1": 1000,
        "T-2": 1000,
        "MUG": 1000,
    }
    assert next(row.allocated for row in rows(app, Variant) if row.sku == "MUG") == 2
    inside(app, assert_books_balance)


def test_what_the_import_created_and_other_imports_did_stays(app, staff, products):
    cli(app, "import-products", "-", input="sku,name,price\nP0,By command,7.00\n")
    looked_over(staff, "sku,name,price", "NEW,New,1.00", "P1,Cheap 1,0.10")
    import_now(staff, path_of(app))

    staff.send(f"{path_of(app)}/undo")

    assert state(app) == {**RIGHT, "P0": (700, "By command"), "NEW": (100, "New")}


def test_a_product_that_is_gone_is_left_out(app, staff, products, admin):
    looked_over(staff, *wrong_list())
    import_now(staff, path_of(app))
    admin.delete(f"/api/products/{products[0].id}")

    staff.send(f"{path_of(app)}/undo")

    assert state(app)["P0"] == (10, "Cheap 0")
    assert "9 products are as they were before; 1 were edited since" in staff.get(path_of(app)).text


def test_a_command_undoes_what_a_command_imported(app, products):
    imported = cli(app, "import-products", "-", input="\n".join(wrong_list()))
    reference = imported.stdout.partition("flask undo-import ")[2].split()[0]

    dry = cli(app, "undo-import", reference, "--dry-run")
    still = state(app)
    done = cli(app, "undo-import", reference)
    again = cli(app, "undo-import", reference)

    assert dry.stdout == (
        "undo-import: 10 products put back, 0 edited since. A dry run: nothing was changed.\n"
    )
    assert (still, state(app)) == (WRONG, RIGHT)
    assert done.stdout == "undo-import: 10 products put back, 0 edited since.\n"
    assert "Nothing is left to undo" in again.stderr
    assert {row.action for row in rows(app, AuditEvent)} == {
        "product.imported",
        "product.import_undone",
    }


def test_an_import_before_this_was_noted_has_no_button(app, staff, products):
    looked_over(staff, *wrong_list())
    import_now(staff, path_of(app))
    job = only_row(app, ImportJob)
    change(app, job, report={k: v for k, v in job.report.items() if k != "oldest"})

    page = staff.get(path_of(app)).text

    assert form_of(page, f"{path_of(app)}/undo") is None
    assert len(rows(app, StockMovement)) > 0
    assert inside(app, lambda: db.session.get(ImportJob, job.id)).can_be_undone is False
