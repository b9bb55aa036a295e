"""Customers for staff: search, details, deactivation and roles."""

from typing import Any

from flask import Response, flash, url_for
from marshmallow import fields
from marshmallow.validate import OneOf

from app.db.paging import MAX_DEPTH
from app.db.unit_of_work import in_transaction
from app.errors import Invalid
from app.models import User
from app.pages.admin.base import AdminBlueprint, admin_form, admin_page, page_href, read_query
from app.pages.blueprint import see_other
from app.pages.forms import Form
from app.schemas.base import ShopSchema
from app.schemas.paging import PageArgs
from app.schemas.users import ROLES, UserArgs
from app.services import user_service
from app.services.accounts import customer_service, second_factor_service, second_factors
from app.services.orders import order_lists
from app.services.orders.order_lists import OrderQuery
from app.web.callers.identity import current_actor

blp = AdminBlueprint("customers", __name__, url_prefix="/admin/customers")
PER_PAGE, ORDERS = 25, 10


class StandingSchema(ShopSchema):
    """What staff can change about an account, as a form sends it."""

    role = fields.String(validate=OneOf(ROLES))
    is_active = fields.Boolean(truthy={"true"}, falsy={"false"})


class CheckedSchema(ShopSchema):
    """The confirmation that staff have checked who asks."""

    checked = fields.Boolean(load_default=False, truthy={"on"}, falsy={""})


CHECKED = CheckedSchema()
ARGS, ORDER_PAGE = UserArgs(exclude=["per_page"]), PageArgs(only=["page"])
STANDING = StandingSchema()


@blp.get("")
def list_customers() -> Response:
    """Accounts by email or name, role and standing, newest first."""
    filters = read_query(ARGS)
    number = min(filters.pop("page"), MAX_DEPTH // PER_PAGE)
    results = user_service.list_users(number, PER_PAGE, **filters)

    return admin_page(
        "customers.html", results=results, filters=filters, roles=ROLES, page_href=page_href(ARGS)
    )


@blp.get("/<int:user_id>")
def show_customer(user_id: int) -> Response:
    """One account with its orders."""
    return _show(user_id, Form())


@blp.post("/<int:user_id>")
def change_customer(user_id: int) -> Response:
    """Change the role of an account, or deactivate or activate it. Its sessions end."""
    actor, form = current_actor(), Form.from_request()

    def change(changes: dict[str, Any]) -> User:
        return in_transaction(lambda: user_service.update_user(actor, user_id, **changes))

    user = form.carry_out(STANDING, change)
    if user is None:
        return _show(user_id, form)
    standing = "active" if user.is_active else "deactivated"
    flash(f"This account is {standing}, with the role {user.role}.")
    return see_other(url_for(".show_customer", user_id=user_id))


@blp.get("/<int:user_id>/release")
def show_release(user_id: int) -> Response:
    """Explain what freeing the address of an account means."""
    return admin_form("customer_release.html", Form(), user=user_service.get_user(user_id))


@blp.post("/<int:user_id>/release")
def release(user_id: int) -> Response:
    """Delete an account that has somebody else's email address and no orders."""
    actor, form = current_actor(), Form.from_request()
    user = user_service.get_user(user_id)

    def work(body: dict[str, Any]) -> bool:
        _require_check(body)
        in_transaction(lambda: user_service.release_address(actor, user_id))
        return True

    is_released = form.carry_out(CHECKED, work)
    if form.code == "account_in_use":
        flash(form.problem, "error")
        return see_other(url_for(".show_customer", user_id=user_id))
    if is_released is None:
        return admin_form("customer_release.html", form, user=user)
    flash(f"{user.email} is free.")
    return see_other(url_for(".list_customers"))


@blp.get("/<int:user_id>/second-factor")
def show_second_factor(user_id: int) -> Response:
    """Explain what removing a lost second factor means."""
    user = user_service.get_user(user_id)
    return admin_form("customer_second_factor.html", Form(), user=user)


@blp.post("/<int:user_id>/second-factor")
def remove_second_factor(user_id: int) -> Response:
    """Remove the second factor of somebody who has lost it."""
    actor, form = current_actor(), Form.from_request()
    user = user_service.get_user(user_id)

    def work(body: dict[str, Any]) -> User:
        _require_check(body)
        return in_transaction(lambda: second_factor_service.remove_for(actor, user_id))

    if form.carry_out(CHECKED, work) is None and not form.code.startswith(("mfa_", "own_")):
        return admin_form("customer_second_factor.html", form, user=user)
    if form.problem:
        flash(form.problem, "error")
    else:
        flash("The second factor is removed. The account is signed out everywhere.")
    return see_other(url_for(".show_customer", user_id=user_id))


def _require_check(body: dict[str, Any]) -> None:
    if not body["checked"]:
        raise Invalid({"checked": ["Check this first."]})


def _show(user_id: int, form: Form) -> Response:
    number = min(read_query(ORDER_PAGE)["page"], MAX_DEPTH // ORDERS)
    user, actor = user_service.get_user(user_id), current_actor()
    return admin_form(
        "customer.html",
        form,
        user=user,
        is_me=user.id == actor.user_id,
        roles=ROLES,
        factor=second_factors.state_of(user_id),
        figures=customer_service.figures(user_id),
        results=order_lists.page_of_orders(actor, OrderQuery(user_id=user_id), number, ORDERS),
        page_href=page_href(ORDER_PAGE),
    )
