"""The page of an order, for its customer or the holder of a guest's link."""

from flask import Response, flash, request, url_for
from marshmallow import Schema
from werkzeug.wrappers import Response as AnyResponse

from app.db.unit_of_work import in_transaction
from app.domain.order_status import ALLOWED
from app.pages import cookies
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.forms import Form
from app.pages.layout import page
from app.pages.shop.seo import absolute
from app.services import order_service
from app.services.order_service import Visitor
from app.web.callers.identity import current_actor

blp = PageBlueprint("order_pages", __name__)
NO_FIELDS = Schema()


@blp.get("/orders/<number>")
def show_order(number: str) -> AnyResponse:
    """An order and its history. The token in a guest's link moves into a cookie, so that it is not
    in the address that the browser shows, logs or sends as Referer."""
    token = request.args.get("token")
    if token is not None:
        return _open_link(number, token)
    visitor = cookies.page_visitor()
    order = order_service.get_order(visitor, number)
    return page(
        "order.html",
        order=order,
        link=_link(order.number, visitor) if order.user_id is None else "",
        may_cancel="cancelled" in ALLOWED[order.status],
    )


@blp.post("/orders/<number>/cancel")
def cancel(number: str) -> Response:
    """Cancel an order that has not been shipped."""
    visitor, form = cookies.page_visitor(), Form()
    order = form.carry_out(
        NO_FIELDS,
        lambda _: in_transaction(lambda: order_service.change_status(visitor, number, "cancelled")),
    )
    if order is None:
        flash(form.problem, "error")
    else:
        flash("The order is cancelled.")
    return see_other(url_for("order_pages.show_order", number=number))


def _open_link(number: str, token: str) -> Response:
    order = order_service.get_order(Visitor(current_actor(), token), number)
    response = see_other(url_for("order_pages.show_order", number=order.number))
    cookies.set_order_cookie(response, order.number, token)
    return response


def _link(number: str, visitor: Visitor) -> str:
    if visitor.order_token is None:
        return ""
    path = url_for("order_pages.show_order", number=number, token=visitor.order_token)
    return absolute(path)
