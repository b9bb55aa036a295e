"""The page of the cart, and the forms that change it."""

from collections.abc import Mapping
from typing import Any

from flask import Response, flash, request, url_for
from marshmallow import ValidationError
from marshmallow import fields as ma
from marshmallow.validate import Range

from app.db.unit_of_work import in_transaction
from app.domain.countries import COUNTRIES
from app.domain.people.buyer import Buyer
from app.errors import Invalid, NotFound, unless_refused
from app.models import MAX_QUANTITY
from app.pages import cookies
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.csrf import any_account
from app.pages.formats import number
from app.pages.forms import EMPTY, Form, parse_whole
from app.pages.layout import page
from app.schemas.base import ShopSchema, store_currency
from app.schemas.promotions import CartCodeSchema
from app.services.buying import cart_codes, cart_contents, cart_service, quotes
from app.services.buying.cart_codes import NO_DISCOUNTS
from app.services.buying.cart_pricing import REFUSALS, CartPricing
from app.services.buying.quotes import QuoteRequest
from app.services.pricing import setup as pricing_setup
from app.web.limits import rate_limits
from app.web.order_sums import sums_of
from app.web.redirects import safe_target

blp = PageBlueprint("cart_page", __name__)


class Units(ma.Integer):
    """A quantity, as typed into a form."""

    def __init__(self, low: int, **kwargs: Any) -> None:
        self.wrong = f"The quantity has to be a whole number from {low} to {MAX_QUANTITY:,}."
        super().__init__(validate=Range(low, MAX_QUANTITY, error=self.wrong), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        number = parse_whole(value)
        if isinstance(number, str):
            raise ValidationError(self.wrong)
        return super()._deserialize(number, attr, data, **kwargs)


class AddForm(ShopSchema):
    """The form that puts an article into the cart."""

    variant_id = ma.Integer(required=True, validate=Range(1, 2**63 - 1))
    quantity = Units(1, load_default=1)


class ChangeForm(ShopSchema):
    """The form that changes the quantity of a line."""

    quantity = Units(0, required=True)


MAX_PAGE = 1_000
ADD, CHANGE, NOTHING, CODE = AddForm(), ChangeForm(), ShopSchema(), CartCodeSchema()
ITEM = "/cart/items/<int(max=9223372036854775807):item_id>"


@blp.get("/cart")
def show_cart() -> Response:
    """What is in the cart, at today's prices."""
    return _cart()


def _cart(status: int = 200) -> Response:
    part = cart_contents.read_cart_page(cookies.page_buyer(), _page_number(request.values))
    warnings: dict[int, list[str]] = {}
    for warning in part.contents.warnings:
        warnings.setdefault(warning.variant_id, []).append(warning.detail)
    cart_id, buyer = part.contents.discounted_cart_id, cookies.page_buyer()
    estimate, country = _estimate(buyer)
    discounts = cart_codes.discounts_of(cart_id, buyer.user_id) if cart_id else NO_DISCOUNTS
    return page(
        "cart.html",
        status,
        cart=part.contents,
        part=part,
        warnings=warnings,
        discounts=discounts,
        total=part.contents.subtotal - discounts.discount_total,
        reasons=REFUSALS,
        estimate=estimate,
        sums=sums_of(estimate.pricing, _method_name(estimate)) if estimate else None,
        country=country,
        asks_country=part.contents.items and pricing_setup.depends_on_place(),
        page_href=_page_href,
    )


def _estimate(buyer: Buyer) -> tuple[CartPricing | None, str]:
    """What the cart costs in the country of the address's `country`, shipped by the first method that is
    offered; None without one, or where the cart cannot be ordered as it is."""
    country = request.args.get("country", "")
    if country not in COUNTRIES:
        return None, ""
    place = QuoteRequest(shipping_address={"country": country})
    try:
        return quotes.quote_with_method(buyer, place, store_currency()).cart, country
    except Invalid:
        return None, country


def _method_name(cart: CartPricing) -> str | None:
    return cart.pricing.method.name if cart.pricing.method else None


def _page_number(values: Mapping[str, str]) -> int:
    """The page of the cart that an address or a form names; the first where it names none."""
    number = parse_whole(values.get("page", "1"))
    return min(max(number, 1), MAX_PAGE) if isinstance(number, int) else 1


def _page_href(number: int) -> str:
    return url_for("cart_page.show_cart", page=number if number > 1 else None)


@blp.post("/cart/items")
@any_account
@rate_limits.limits_guests
def add_item() -> Response:
    """Put something into the cart."""
    buyer, form = cookies.page_buyer(), Form.from_request()
    result = form.carry_out(
        ADD,
        lambda values: in_transaction(
            lambda: cart_service.add_item(buyer, **values, may_open=rate_limits.count_new_cart)
        ),
    )
    if result is None:
        _flash_problem(form)
        return see_other(safe_target(request.form.get("back"), url_for("cart_page.show_cart")))
    return _added(result[0])


@blp.post(ITEM)
@any_account
def change_item(item_id: int) -> Response:
    """Set the quantity of a line."""
    buyer, form = cookies.page_buyer(), Form.from_request()
    form.carry_out(
        CHANGE,
        lambda values: in_transaction(lambda: cart_service.change_item(buyer, item_id, **values)),
        extra_refusals=(NotFound,),
    )
    return _changed(form)


@blp.post(ITEM + "/remove")
@any_account
def remove_item(item_id: int) -> Response:
    """Remove a line."""
    buyer, form = cookies.page_buyer(), Form()
    form.carry_out(
        NOTHING,
        lambda _: in_transaction(lambda: cart_service.change_item(buyer, item_id, 0)),
        extra_refusals=(NotFound,),
    )
    return _changed(form)


@blp.post("/cart/codes")
@any_account
@rate_limits.limits_guests
def enter_code() -> Response:
    """Put a promotion's code into the cart."""
    buyer, form, address = cookies.page_buyer(), Form.from_request(), request.remote_addr
    form.carry_out(CODE, lambda values: _enter(buyer, values["code"], address))
    if form.code:
        flash(form.error("code") or form.problem, "error")
    return see_other(_with_country())


@blp.post("/cart/codes/remove")
@any_account
def remove_code() -> Response:
    """Take a code out of the cart."""
    buyer, form = cookies.page_buyer(), Form.from_request()
    form.carry_out(
        CODE,
        lambda values: in_transaction(lambda: cart_codes.remove_code(buyer, values["code"])),
        extra_refusals=(NotFound,),
    )
    return see_other(_with_country())


def _with_country() -> str:
    """The cart's address, with the country whose shipping and taxes it showed."""
    country = request.form.get("country")
    return url_for("cart_page.show_cart", country=country if country in COUNTRIES else None)


def _enter(buyer: Buyer, code: str, address: str | None) -> bool:
    unless_refused(in_transaction(lambda: cart_codes.enter_code(buyer, code, address)))
    return True


def _changed(form: Form) -> Response:
    """The cart as it is now; also where the line was gone already, by a double click or from
    another tab."""
    if form.code == "not_found":
        flash("That is no longer in your cart.", "error")
        return _cart(form.status)
    if form.code:
        _flash_problem(form)
    return see_other(_page_href(_page_number(request.form)))


def _added(buyer: Buyer) -> Response:
    flash("It is in your cart.")
    response = see_other(url_for("cart_page.show_cart"))
    cookies.set_cart_cookie(response, buyer)
    return response


def _flash_problem(form: Form) -> None:
    shortages = form.extra.get("shortages", ())
    if shortages:
        units = shortages[0]["available"]
        text = f"Only {number(units)} can be had at present." if units else "It is sold out."
        flash(text, "error")
    elif "variant_id" in form.errors:
        flash("Please choose which one you would like.", "error")
    else:
        flash(_wrong_quantity(form) or form.problem, "error")


def _wrong_quantity(form: Form) -> str:
    error = form.error("quantity")
    return "Please say how many you would like." if error == EMPTY else error
