"""The cart: what is in it, and changing that."""

from typing import Any

from flask import Response, flash, request, url_for
from marshmallow import ValidationError
from marshmallow import fields as ma
from marshmallow.validate import Range

from app.domain.buyer import Buyer
from app.models import MAX_QUANTITY
from app.pages import cookies
from app.pages.blueprint import PageBlueprint, see
from app.pages.forms import Form
from app.pages.shell import page
from app.schemas.base import ShopSchema
from app.services import cart_contents, cart_service
from app.services.cart_contents import Contents
from app.unit_of_work import in_transaction
from app.utils.redirects import inside

blp = PageBlueprint("cart_page", __name__)


class Units(ma.Integer):
    """How many of something are wanted, as typed into a form."""

    def __init__(self, low: int, **kwargs: Any) -> None:
        wrong = f"From {low} to {MAX_QUANTITY:,}."
        super().__init__(validate=Range(low, MAX_QUANTITY, error=wrong), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if len(str(value)) > 9:
            raise ValidationError(f"At most {MAX_QUANTITY:,}.")
        return super()._deserialize(value, attr, data, **kwargs)


class AddForm(ShopSchema):
    """What is put into the cart."""

    variant_id = ma.Integer(required=True, validate=Range(1, 2**63 - 1))
    quantity = Units(1, load_default=1)


class ChangeForm(ShopSchema):
    """How many of a line are wanted."""

    quantity = Units(0, required=True)


ADD, CHANGE = AddForm(), ChangeForm()
ITEM = "/cart/items/<int(max=9223372036854775807):item_id>"


@blp.get("/cart")
def show_cart() -> Response:
    """What is in the cart, at today's prices."""
    contents = cart_contents.read(cookies.page_buyer())
    notices: dict[int, list[str]] = {}
    for warning in contents.warnings:
        notices.setdefault(warning.variant_id, []).append(warning.detail)
    return page("cart.html", cart=contents, notices=notices)


@blp.post("/cart/items")
def add_item() -> Response:
    """Put something into the cart."""
    buyer, form = cookies.page_buyer(), Form.sent()
    made = form.carry_out(
        ADD, lambda wanted: in_transaction(lambda: cart_service.add_item(buyer, **wanted))
    )
    if made is None:
        _tell(form)
        return see(inside(request.form.get("back"), url_for("cart_page.show_cart")))
    return _added(*made)


@blp.post(ITEM)
def change_item(item_id: int) -> Response:
    """Set the quantity of a line."""
    buyer, form = cookies.page_buyer(), Form.sent()
    made = form.carry_out(
        CHANGE,
        lambda wanted: in_transaction(lambda: cart_service.change_item(buyer, item_id, **wanted)),
    )
    if made is None:
        _tell(form)
    return see(url_for("cart_page.show_cart"))


@blp.post(ITEM + "/remove")
def remove_item(item_id: int) -> Response:
    """Remove a line."""
    buyer = cookies.page_buyer()
    in_transaction(lambda: cart_service.change_item(buyer, item_id, 0))
    return see(url_for("cart_page.show_cart"))


def _added(buyer: Buyer, contents: Contents) -> Response:
    flash("It is in your cart.")
    response = see(url_for("cart_page.show_cart"))
    cookies.keep_cart(response, buyer)
    return response


def _tell(form: Form) -> None:
    shortages = form.extra.get("shortages", ())
    if shortages:
        left = shortages[0]["available"]
        flash(f"Only {left} can be had at present." if left else "It is sold out.", "error")
    else:
        flash(form.error("quantity") or form.problem, "error")
