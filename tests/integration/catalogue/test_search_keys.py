"""`renew-search-keys`: products that another release wrote are found by this release's words."""

import pytest
from sqlalchemy import func, select, text, update

from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import Product
from app.models.catalogue import OUTDATED_SEARCH_KEYS
from app.services.catalogue import search_keys
from app.services.operations.doctor_service import _search_keys
from tests import factories
from tests.integration.people import inside

URL = "/api/products"


def renew(app):
    return app.test_cli_runner().invoke(args=["renew-search-keys"])


def write_as_the_release_before(app, **where):
    """The columns as they were before accents of other scripts were letters."""

    def write():
        db.session.execute(
            update(Product)
            .filter_by(**where)
            .values(
                name_key=func.lower(Product.name),
                search_title=func.lower(Product.name),
                search_body="old",
                updated_at=Product.updated_at,
            )
        )

    inside(app, lambda: in_transaction(write))


def outdated(app):
    return inside(app, search_keys.count_outdated)


def slugs(caller, q):
    return [item["slug"] for item in caller.get(URL, query_string={"q": q}).json["items"]]


@pytest.fixture
def shop(app):
    with app.app_context():
        for number in range(5):
            factories.product(slug=f"rug-{number}", name=f"Dywanik Łazienkowy {number}")
        factories.product(slug="cup", name="不锈钢保温杯", description="Für den Tee", sku="CUP-7")
    return app


def test_products_of_the_release_before_are_found_after_it(shop, anyone):
    write_as_the_release_before(shop)
    before = inside(shop, lambda: db.session.scalars(select(Product).order_by("id")).all())
    assert outdated(shop) == 6

    result = renew(shop)

    assert (result.exit_code, result.stdout) == (
        0,
        "renew-search-keys: 6 products renewed.\nrenew-search-keys: 0 orders renewed.\n"
        "renew-search-keys: 0 customers renewed.\n",
    )
    assert len(slugs(anyone, "lazienkowy")) == 5
    assert slugs(anyone, "温杯") == slugs(anyone, "cup-7 fur") == ["cup"]
    after = inside(shop, lambda: db.session.scalars(select(Product).order_by("id")).all())
    for old, new in zip(before, after, strict=True):
        assert (old.version, old.updated_at, old.price) == (new.version, new.updated_at, new.price)
    assert after[0].name_key == "dywanik lazienkowy 0"
    assert outdated(shop) == 0
    assert "0 products" in renew(shop).stdout


def test_it_goes_on_where_it_was_interrupted(shop, monkeypatch):
    write_as_the_release_before(shop)
    monkeypatch.setattr(search_keys, "BATCH", 2)
    renew_batch = search_keys.renew_batch

    def renew_first(after):
        if after:
            raise KeyboardInterrupt
        return renew_batch(after)

    monkeypatch.setattr(search_keys, "renew_batch", renew_first)
    assert renew(shop).exit_code != 0
    assert outdated(shop) == 4

    monkeypatch.setattr(search_keys, "renew_batch", renew_batch)
    assert "4 products renewed" in renew(shop).stdout
    assert outdated(shop) == 0


def test_what_the_release_before_writes_later_is_renewed_again(shop, anyone):
    renew(shop)
    write_as_the_release_before(shop, slug="rug-3")

    assert "1 products renewed" in renew(shop).stdout
    assert len(slugs(anyone, "lazienkowy")) == 5


def test_deleted_products_are_renewed_and_stay_deleted(shop, admin, anyone):
    admin.delete(f"{URL}/rug-1")
    write_as_the_release_before(shop)

    assert renew(shop).exit_code == 0
    assert outdated(shop) == 0
    assert len(slugs(anyone, "lazienkowy")) == 4


@pytest.mark.only_on("postgresql")
def test_a_product_that_is_being_edited_is_left_to_the_editor(shop, monkeypatch):
    write_as_the_release_before(shop)
    monkeypatch.setattr("app.cli.search_keys.PASSES", 2)
    monkeypatch.setattr("app.cli.search_keys.PAUSE", 0)
    with shop.app_context(), db.engine.connect() as editor:
        editor.execute(text("SELECT id FROM products WHERE slug = 'rug-2' FOR NO KEY UPDATE"))
        result = renew(shop)
        editor.execute(text("UPDATE products SET name = 'Łyżka' WHERE slug = 'rug-2'"))
        editor.commit()

    assert (result.exit_code, outdated(shop)) == (1, 1)
    assert "being edited: run it again" in result.output
    assert renew(shop).exit_code == 0
    with shop.app_context():
        assert db.session.scalar(select(Product.name_key).filter_by(slug="rug-2")) == "lyzka"


def test_what_is_outdated_comes_from_an_index(shop):
    with shop.app_context():
        query = (
            f"SELECT id FROM products WHERE {OUTDATED_SEARCH_KEYS} AND id > 0 ORDER BY id LIMIT 5"
        )
        if db.engine.dialect.name == "sqlite":
            plan = db.session.execute(text(f"EXPLAIN QUERY PLAN {query}")).all()
        else:
            db.session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = db.session.execute(text(f"EXPLAIN {query}")).all()

    assert "ix_products_outdated_search_keys" in str(plan)


def test_an_edit_writes_columns_of_this_release(shop, admin):
    write_as_the_release_before(shop)

    admin.patch(f"{URL}/rug-0", json={"description": "Now blue."})

    assert outdated(shop) == 5


def test_the_doctor_tells_of_outdated_products(shop):
    assert inside(shop, _search_keys).status == "ok"
    write_as_the_release_before(shop, slug="cup")

    finding = inside(shop, _search_keys)

    assert finding.status == "warning"
    assert "flask renew-search-keys" in finding.detail
