"""Answers that are put together by hand are those that the schemas document."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from app.domain.people.actor import Actor
from app.domain.people.buyer import Buyer
from app.extensions import db
from app.models import Order
from app.schemas.cart import CartSchema, show_cart
from app.schemas.orders import OrderSchema, show_order
from app.services.buying import cart_contents
from app.services.buying.cart_codes import NO_DISCOUNTS
from tests import factories
from tests.integration.people import change
from tests.integration.shopping import ADDRESS, fill, guest_order, inside, move, order


@pytest.fixture
def product(app):
    variant = {"price": 1250, "stock": 10, "options": {"Size": "L", "Colour": "ünï"}}
    return inside(app, lambda: factories.product_with_variants([variant], name="Mug"))


def views_of(placed):
    """The order as it is shown, and as its schema would dump it."""
    parts = (Order.lines, Order.discounts, Order.taxes)
    whole = (*map(selectinload, parts), joinedload(Order.events))
    query = select(Order).where(Order.id == placed["id"]).options(*whole)
    found = db.session.scalars(query).unique().one()
    for line in found.lines:  # what is paid depends on the order, so no line knows it by itself
        line.total = line.line_total
    return show_order(found), OrderSchema().dump(found)


def test_an_order_is_shown_as_its_schema_says(app, customer, admin, product):
    placed = order(customer, product, 3, shipping_address=ADDRESS, note="Ring twice").json
    move(admin, placed, "processing", "shipped")

    shown, dumped = inside(app, lambda: views_of(placed))

    assert shown == dumped
    assert list(shown) == list(dumped)
    assert [step["status"] for step in shown["history"]] == ["pending", "processing", "shipped"]


def test_a_guests_order_without_an_address_is_shown_as_its_schema_says(app, anyone, product):
    placed = guest_order(anyone, product)

    shown, dumped = inside(app, lambda: views_of(placed))

    assert shown == dumped
    assert shown["shipping_address"] is shown["user_id"] is None


def test_a_new_order_is_answered_as_it_is_read_later(app, customer, product):
    more = inside(app, factories.product)
    fill(customer, more)

    placed = order(customer, product, 2, shipping_address=ADDRESS).json

    assert customer.get(f"/api/orders/{placed['id']}").json == placed
    assert customer.get("/api/orders").json["items"] == [placed]


def test_a_cart_is_shown_as_its_schema_says(app, customer, product):
    fill(customer, product, 2)
    fill(customer, inside(app, factories.product))
    change(app, product.variants[0], on_hand=1, price=1300)
    buyer = Buyer(Actor("customer", user_id=customer.user_id))

    def views():
        contents = cart_contents.read_cart(buyer)
        facts = {
            **contents.__dict__, **NO_DISCOUNTS.__dict__,
            "total": contents.subtotal, "currency": "USD",
        }  # fmt: skip
        return show_cart(contents, "USD"), CartSchema().dump(facts)

    shown, dumped = inside(app, views)

    assert shown == dumped
    assert [list(item) for item in shown["items"]] == [list(item) for item in dumped["items"]]
    assert len(shown["warnings"]) == 2
