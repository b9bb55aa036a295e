"""What a buyer can purchase is the same in Python and in SQL."""

from itertools import product as every

import pytest
from sqlalchemy import select

from app.domain.clock import utc_now
from app.extensions import db
from app.models import Product, Variant
from app.models.availability import (
    AVAILABLE_QUANTITY,
    IS_PURCHASABLE,
    available_quantity,
    is_purchasable,
)
from tests import factories
from tests.integration.people import change, inside


@pytest.mark.parametrize(
    ("variant_active", "variant_deleted", "product_active", "product_deleted"),
    list(every((True, False), repeat=4)),
)
def test_both_forms_say_the_same(
    app, variant_active, variant_deleted, product_active, product_deleted
):
    row = inside(app, factories.product, stock=3)
    change(app, row.variants[0], is_active=variant_active, deleted_at=_time(variant_deleted))
    change(app, row, is_active=product_active, deleted_at=_time(product_deleted))

    with app.app_context():
        variant, product, in_sql, units = db.session.execute(
            select(Variant, Product, IS_PURCHASABLE, AVAILABLE_QUANTITY).join(
                Product, Product.id == Variant.product_id
            )
        ).one()

        expected = variant_active and product_active and not (variant_deleted or product_deleted)
        assert is_purchasable(variant, product) == bool(in_sql) == expected
        assert available_quantity(variant, product) == units == (3 if expected else 0)


def _time(is_deleted):
    return utc_now() if is_deleted else None
