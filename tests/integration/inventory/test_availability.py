"""What a buyer can purchase is the same in Python and in SQL."""

from itertools import product as every

import pytest
from sqlalchemy import select

from app.domain.clock import utc_now
from app.extensions import db
from app.models import Product, Variant
from app.models.availability import (
    AVAILABLE_QUANTITY,
    IS_IN_STOCK,
    IS_PURCHASABLE,
    NOT_ALLOCATED,
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


@pytest.mark.parametrize(
    ("on_hand", "allocated", "available"), [(4, 0, 4), (4, 1, 3), (4, 4, 0), (0, 0, 0)]
)
def test_what_is_promised_to_orders_is_not_available(app, on_hand, allocated, available):
    row = inside(app, factories.product, stock=on_hand)
    change(app, row.variants[0], allocated=allocated)

    with app.app_context():
        variant, product, units, is_in_stock, shown = db.session.execute(
            select(Variant, Product, NOT_ALLOCATED, IS_IN_STOCK, AVAILABLE_QUANTITY).join(
                Product, Product.id == Variant.product_id
            )
        ).one()

        assert variant.available == available_quantity(variant, product) == available
        assert (units, bool(is_in_stock), shown) == (available, available > 0, available)


def _time(is_deleted):
    return utc_now() if is_deleted else None
