"""Erasing the data of a person without an account, in two steps: look, then erase.

The address is sent in forms, never in a URL, because logs and browser histories store URLs.
"""

from typing import Any

from flask import Response, flash, url_for
from marshmallow import fields
from marshmallow.validate import OneOf

from app.db.unit_of_work import in_transaction
from app.errors import Invalid, NotFound
from app.pages.admin.base import AdminBlueprint, admin_form, read_query
from app.pages.blueprint import see_other
from app.pages.forms import Form
from app.schemas.base import Number, QuerySchema, ShopSchema, Text
from app.services import order_service, user_service
from app.services.operations import erasure_service
from app.services.operations.erasure_service import PersonalData
from app.services.order_service import Visitor
from app.web.callers.identity import current_actor

blp = AdminBlueprint("erasure", __name__, url_prefix="/admin/erasure")
STEPS = ("look", "erase")


class ErasureSchema(ShopSchema):
    """Whose data to erase; `checked` confirms that staff have checked who asks."""

    email = Text(required=True, low=1, high=254)
    name = Text(load_default="", high=200)
    step = fields.String(load_default=STEPS[0], validate=OneOf(STEPS))
    checked = fields.Boolean(load_default=False, truthy={"on"}, falsy={""})


class StartArgs(QuerySchema):
    """The page that staff come from: a customer or an order."""

    customer = Number(1, 2**63 - 1, load_default=None)
    order = fields.String(load_default=None)


ERASURE, START = ErasureSchema(), StartArgs()


@blp.get("")
def show() -> Response:
    """The form, filled in with the address of a customer or of an order."""
    return admin_form("erasure.html", Form(_start()), data=None)


@blp.post("")
def erase() -> Response:
    """Show what would be erased, or erase it."""
    form = Form.from_request()
    data = form.carry_out(ERASURE, _look_or_erase)
    if data is None and form.error("checked"):
        data = erasure_service.find_personal_data(form.value("email"), form.value("name"))
    elif data is not None and form.value("step") == "erase":
        return _confirm(data)
    return admin_form("erasure.html", form, data=data)


def _confirm(data: PersonalData) -> Response:
    orders, reasons = len(data.order_ids), len(data.reasons)
    flash(f"Erased: the person in {orders} orders and {reasons} reasons of stock movements.")
    return see_other(url_for(".show"))


def _look_or_erase(body: dict[str, Any]) -> PersonalData:
    actor, email, name = current_actor(), body["email"], body["name"]
    if body["step"] == "look":
        return erasure_service.find_personal_data(email, name)
    if not body["checked"]:
        raise Invalid({"checked": ["Check this first."]})
    return in_transaction(lambda: erasure_service.erase_personal_data(actor, email, name))


def _start() -> dict[str, str]:
    args = read_query(START)
    try:
        if args["customer"]:
            user = user_service.get_user(args["customer"])
            return {
                "email": user.email or "",
                "name": f"{user.first_name} {user.last_name}".strip(),
            }
        if args["order"]:
            order = order_service.get_order(Visitor(current_actor()), args["order"])
            return {"email": order.email or ""}
    except NotFound:
        pass
    return {}
