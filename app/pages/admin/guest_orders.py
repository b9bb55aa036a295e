"""Pending orders of guests for staff: who reserves how many units of what, and releasing them."""

import re
from collections.abc import Iterable
from typing import Any

from flask import Response, flash, request, url_for
from marshmallow import fields
from marshmallow.validate import OneOf, Regexp

from app.db.paging import MAX_DEPTH
from app.db.unit_of_work import in_transaction
from app.domain.people.actor import Actor
from app.errors import Conflict, NotFound
from app.pages.admin.base import AdminBlueprint, admin_page, page_href, read_query
from app.pages.blueprint import see_other
from app.schemas.base import Number, QuerySchema
from app.services.orders import guest_orders
from app.web.callers.identity import current_actor

blp = AdminBlueprint("guest_orders", __name__, url_prefix="/admin/guest-orders")
PER_PAGE = 25
GROUPINGS = {"network": "Network", "email": "Email", "order": "Order"}
SORTINGS = {"largest": "Most units first", "oldest": "Oldest first"}
HOLDER = re.compile("[0-9a-f]{64}")


class GuestOrderArgs(QuerySchema):
    """The filter of the list of open guest orders, and how it groups them."""

    by = fields.String(validate=OneOf(GROUPINGS), load_default="network")
    sort = fields.String(validate=OneOf(SORTINGS), load_default="largest")
    holder = fields.String(validate=Regexp(rf"{HOLDER.pattern}\Z"))
    page = Number(1, MAX_DEPTH, load_default=1)


ARGS = GuestOrderArgs()


@blp.get("")
def list_groups() -> Response:
    """Open guest orders by network, by email or one by one."""
    query = read_query(ARGS)
    number = min(query["page"], MAX_DEPTH // PER_PAGE)
    groups = guest_orders.list_groups(
        query["by"], query["sort"], number, PER_PAGE, query.get("holder")
    )
    return admin_page(
        "guest_orders.html", groups=groups, query=query, page_href=page_href(ARGS),
        groupings=GROUPINGS, sortings=SORTINGS,
    )  # fmt: skip


@blp.post("/release")
def release() -> Response:
    """Cancel one open order, or all of one network or email."""
    actor, query = current_actor(), read_query(ARGS)
    holder, number = request.form.get("holder", ""), request.form.get("order", "")
    if number:
        _flash_count(_release_all(actor, [number]), 0)
    elif HOLDER.fullmatch(holder):
        count = _release_all(actor, guest_orders.numbers_held_by(holder))
        _flash_count(count, guest_orders.count_held_by(holder))
    else:
        flash("Choose what to release.", "error")
    return see_other(url_for(".list_groups", **_query_arguments(query)))


def _release_all(actor: Actor, numbers: Iterable[str]) -> int:
    return sum(_release(actor, number) for number in numbers)


def _release(actor: Actor, number: str) -> bool:
    """Whether it was released: somebody else may have moved it meanwhile."""
    try:
        in_transaction(lambda: guest_orders.release(actor, number))
    except (Conflict, NotFound):
        return False
    return True


def _flash_count(count: int, remainder: int) -> None:
    words = f"{count} {'order is' if count == 1 else 'orders are'} released."
    if remainder:
        words += f" {remainder} more are left: press the button again."
    flash(words, "message" if count else "error")


def _query_arguments(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value != ARGS.fields[name].load_default}
