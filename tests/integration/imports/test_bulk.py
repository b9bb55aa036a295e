"""Many rows in one statement."""

import pytest
from sqlalchemy import select

from app.db.bulk import FEW, PIECE, among, insert_rows, reserve_ids
from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.extensions import db
from app.models import Category, Product
from tests import factories

COLUMNS = (
    "id", "name", "slug", "description", "category_id", "options", "is_active", "version",
    "created_at", "updated_at", "price", "name_key",
)  # fmt: skip
TEXTS = ["plain", "", "a\ttab", "two\nlines", "\r", "back\\slash", r"\N", r"\.", "Größe 😀", "'\""]
OPTIONS = [[], [{"name": "Größe\t\\", "values": ['"S"', "M"]}]]


@pytest.fixture
def shop(app):
    with app.app_context():
        yield app


def rows_of_all_kinds(count, category):
    """Rows in whose columns values of several types, and special ones, stand side by side."""
    now = utc_now()
    return [
        (id_, f"n{id_}", f"s{id_}", TEXTS[id_ % len(TEXTS)], (None, category.id)[id_ % 2],
         OPTIONS[id_ % 3 == 0], id_ % 5 > 0, id_, now, now, 0, "")
        for id_ in reserve_ids(Product, count)
    ]  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, FEW - 1, FEW, FEW + PIECE, FEW + PIECE + 1])
def test_rows_come_out_as_they_went_in(shop, count):
    category = factories.category()
    rows = rows_of_all_kinds(count, category)

    in_transaction(lambda: insert_rows(Product, COLUMNS, iter(rows)))

    columns = [getattr(Product, column) for column in COLUMNS]
    found = db.session.execute(select(*columns).order_by(Product.id)).all()
    assert [tuple(row) for row in found] == rows


def test_one_of_many_is_found_and_nothing_that_only_begins_alike(shop):
    slug = "x" * 120  # as long as the column is
    factories.category(slug=slug)

    def found(*slugs):
        return list(db.session.scalars(select(Category.slug).where(among(Category.slug, slugs))))

    assert found("mug", slug) == [slug]
    assert found(slug + "-and-more") == found() == []
