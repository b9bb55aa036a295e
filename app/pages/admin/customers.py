"""Customers for staff: found, looked at, let in or not, and made staff."""

from typing import Any

from flask import Response, flash, url_for
from marshmallow import fields
from marshmallow.validate import OneOf

from app.db.paging import MAX_DEPTH
from app.db.unit_of_work import in_transaction
from app.errors import Invalid
from app.models import User
from app.pages.admin.base import AdminBlueprint, admin_form, admin_page, page_href, read_query
from app.pages.blueprint import see
from app.pages.forms import Form
from app.schemas.base import ShopSchema
from app.schemas.paging import PageArgs
from app.schemas.users import ROLES, UserArgs
from app.services import user_service
from app.services.accounts import customer_service
from app.services.orders import order_lists
from app.services.orders.order_lists import Filters
from app.web.callers.identity import current_actor

blp = AdminBlueprint("customers", __name__, url_prefix="/admin/customers")
PER_PAGE, ORDERS = 25, 10


class StandingSchema(ShopSchema):
    """What staff change about an account, in the words of a form."""

    role = fields.String(validate=OneOf(ROLES))
    is_active = fields.Boolean(truthy={"true"}, falsy={"false"})


class ReleaseSchema(ShopSchema):
    """That staff know who asks."""

    checked = fields.Boolean(load_default=False, truthy={"on"}, falsy={""})


RELEASE = ReleaseSchema()
WANTED, ORDER_PAGE = UserArgs(exclude=["per_page"]), PageArgs(only=["page"])
STANDING = StandingSchema()


@blp.get("")
def list_customers() -> Response:
    """Accounts by email or name, role and standing, newest first."""
    wanted = read_query(WANTED)
    number = min(wanted.pop("page"), MAX_DEPTH // PER_PAGE)
    found = user_service.list_users(number, PER_PAGE, **wanted)

    return admin_page(
        "customers.html", found=found, wanted=wanted, roles=ROLES, page_href=page_href(WANTED)
    )


@blp.get("/<int:user_id>")
def show_customer(user_id: int) -> Response:
    """One account with its orders."""
    return _show(user_id, Form())


@blp.post("/<int:user_id>")
def change_customer(user_id: int) -> Response:
    """Give an account another role, or close or open its door; its sessions end."""
    actor, form = current_actor(), Form.sent()

    def change(wishes: dict[str, Any]) -> User:
        return in_transaction(lambda: user_service.update_user(actor, user_id, **wishes))

    changed = form.carry_out(STANDING, change)
    if changed is None:
        return _show(user_id, form)
    standing = "active" if changed.is_active else "deactivated"
    flash(f"This account is {standing}, with the role {changed.role}.")
    return see(url_for(".show_customer", user_id=user_id))


@blp.get("/<int:user_id>/release")
def show_release(user_id: int) -> Response:
    """What it means to free an account's address."""
    return admin_form("customer_release.html", Form(), user=user_service.get_user(user_id))


@blp.post("/<int:user_id>/release")
def release(user_id: int) -> Response:
    """Delete an account that holds somebody else's address and has never ordered."""
    actor, form = current_actor(), Form.sent()
    user = user_service.get_user(user_id)

    def work(wishes: dict[str, Any]) -> bool:
        if not wishes["checked"]:
            raise Invalid({"checked": ["Check this first."]})
        in_transaction(lambda: user_service.release_address(actor, user_id))
        return True

    done = form.carry_out(RELEASE, work)
    if form.code == "account_in_use":
        flash(form.problem, "error")
        return see(url_for(".show_customer", user_id=user_id))
    if done is None:
        return admin_form("customer_release.html", form, user=user)
    flash(f"{user.email} is free.")
    return see(url_for(".list_customers"))


def _show(user_id: int, form: Form) -> Response:
    number = min(read_query(ORDER_PAGE)["page"], MAX_DEPTH // ORDERS)
    user, actor = user_service.get_user(user_id), current_actor()
    return admin_form(
        "customer.html",
        form,
        user=user,
        is_me=user.id == actor.user_id,
        roles=ROLES,
        figures=customer_service.figures(user_id),
        found=order_lists.page_of_orders(actor, Filters(user_id=user_id), number, ORDERS),
        page_href=page_href(ORDER_PAGE),
    )
