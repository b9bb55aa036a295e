"""What triggers keep: how many products each category offers, and which words they are found by."""

import flask_migrate
import pytest
from sqlalchemy import func, select, text

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.extensions import db
from app.models import Category, Product
from app.services.catalogue.bulk_catalogue import NewProduct, NewVariant, add_products
from tests import factories


def kept() -> dict[int, int]:
    return {
        row.id: row.offered for row in db.session.execute(select(Category.id, Category.offered))
    }


def counted() -> dict[int, int]:
    offered = (Product.category_id == Category.id, Product.deleted_at.is_(None), Product.is_active)
    number = select(func.count()).select_from(Product).where(*offered).scalar_subquery()
    return {row[0]: row[1] for row in db.session.execute(select(Category.id, number))}


@pytest.fixture
def shop(app):
    with app.app_context():
        yield app


def test_categories_know_how_many_products_they_offer(shop, admin):
    near, far = factories.category(), factories.category()
    products = [factories.product(category_id=near.id) for _ in range(6)]
    factories.product(category_id=near.id, is_active=False)
    factories.product()
    db.session.rollback()
    assert kept() == counted() == {near.id: 6, far.id: 0}
    db.session.rollback()

    moved, hidden, gone, freed, *_rest = (f"/api/products/{product.id}" for product in products)
    assert admin.patch(moved, json={"category_id": far.id}).status_code == 200
    assert admin.patch(hidden, json={"is_active": False}).status_code == 200
    assert admin.delete(gone).status_code == 204
    assert admin.patch(freed, json={"category_id": None}).status_code == 200

    assert kept() == counted() == {near.id: 2, far.id: 1}


def test_many_at_once_are_counted_too(shop):
    ids = [factories.category().id for _ in range(3)]
    new = [
        NewProduct(f"Bulk {n}", f"bulk-{n}", [NewVariant(f"B{n}", 100)], utc_now(),
                   category_id=ids[n % 3])
        for n in range(100)
    ]  # fmt: skip

    in_transaction(lambda: add_products(new, "test"))

    assert kept() == counted() == dict(zip(ids, (34, 33, 33), strict=True))


def test_the_upgrade_counts_what_is_there(shop):
    """Down and up again on data, as if it had come before the counts were kept."""
    category = factories.category()
    factories.product(category_id=category.id, name="Wireless Headphones")
    db.session.remove()
    db.engine.dispose()

    flask_migrate.downgrade(revision="0007")
    flask_migrate.upgrade()

    assert kept() == {category.id: 1}
    found = shop.test_client().get("/api/products?q=headphnes").json["total"]
    assert found == (1 if db.engine.dialect.name == "postgresql" else 0)
    db.session.remove()


@pytest.mark.only_on("postgresql")
def test_words_of_names_are_kept_without_numbers_and_codes(shop):
    factories.product(name="Garden Hoze 500", sku="GH-77x")
    found = set(db.session.scalars(text("SELECT word FROM search_words")))

    assert {"garden", "hoze"} <= found
    assert not {"500", "gh", "77x"} & found


@pytest.mark.only_on("postgresql")
def test_all_words_are_kept_up_to_their_first_digit(shop, admin):
    made = factories.product(name="Garden Hoze 500", sku="GH77x", description="Rolls up.")
    db.session.rollback()
    edited = admin.patch(f"/api/products/{made.id}", json={"description": "Unrolls, 2nd edition."})
    assert edited.status_code == 200

    found = set(db.session.scalars(text("SELECT word FROM search_stems")))

    assert {"garden", "hoze", "0", "gh0", "rolls", "up", "unrolls", "edition"} <= found
    assert not {"500", "gh77x", "2nd"} & found


@pytest.mark.only_on("postgresql")
def test_the_upgrade_collects_the_words_that_are_there(shop):
    factories.product(name="Wireless Headphones", sku="A1")
    db.session.remove()
    db.engine.dispose()

    flask_migrate.downgrade(revision="0009")
    flask_migrate.upgrade()

    found = set(db.session.scalars(text("SELECT word FROM search_stems")))
    assert found == {"wireless", "headphones", "a0"}
    db.session.remove()
