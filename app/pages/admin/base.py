"""What all of the staff's pages share: who may enter, and what surrounds them."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Response, make_response, render_template, request, url_for
from marshmallow import Schema

from app.db.unit_of_work import in_transaction
from app.domain.people.buyer import Buyer
from app.errors import Forbidden, Invalid, Unauthenticated
from app.models import Category, Product
from app.pages.blueprint import PageBlueprint
from app.pages.forms import Form
from app.services.messages import idempotency
from app.services.messages.idempotency import Request
from app.web.callers.identity import current_actor

ROOMS = (
    ("admin_dashboard.show", "Today"),
    ("admin_orders.list_orders", "Orders"),
    ("admin_products.list_products", "Products"),
    ("admin_categories.list_categories", "Categories"),
    ("admin_customers.list_customers", "Customers"),
    ("admin_imports.show", "Import"),
    ("admin_trail.list_events", "Audit trail"),
    ("admin_security.list_events", "Security"),
)
"""Endpoint and name of each part, in the order in which they stand at the top."""
MEANWHILE = (
    "Somebody has changed this {} since you opened it, so nothing was saved. What you wrote is"
    " still here: saved again, it takes the place of theirs."
)


class AdminBlueprint(PageBlueprint):
    """Anonymous visitors are sent to sign in, customers are refused, whatever they ask for, and
    before a form of theirs is read."""

    def __init__(
        self,
        name: str,
        import_name: str,
        before_forms: Sequence[Callable[[], None]] = (),
        **options: Any,
    ) -> None:
        steps = (_require_staff, *before_forms)
        super().__init__(f"admin_{name}", import_name, before_forms=steps, **options)


def admin_page(template: str, status: int = 200, **facts: Any) -> Response:
    """A page of the staff's in its surroundings."""
    page = render_template(f"admin/{template}", rooms=ROOMS, actor=current_actor(), **facts)
    return make_response(page, status)


def admin_form(template: str, form: Form, **facts: Any) -> Response:
    """A staff's page around a form, answered as the form was."""
    response = admin_page(template, form.status, form=form, **facts)
    response.headers.update(form.headers)
    return response


def read_query(schema: Schema) -> dict[str, Any]:
    """What the address asks for; what is empty, unknown or wrong asks for nothing."""
    sent = {name: value for name, value in request.args.items() if value}
    sent = {name: value for name, value in sent.items() if name in schema.load_fields}
    wrong = schema.validate(sent)
    loaded: dict[str, Any] = schema.load({n: v for n, v in sent.items() if n not in wrong})
    return loaded


def page_href(schema: Schema) -> Callable[[int], str]:
    """Leads to another page of this list, with whatever else the address asks for."""
    args = {name: value for name, value in request.args.items() if name in schema.load_fields}
    here = request.endpoint or ""

    def href(page: int) -> str:
        there: dict[str, Any] = {**args, **(request.view_args or {}), "page": page}
        return url_for(here, **there)

    return href


def once(work: Callable[[], int | None], part: str = "") -> int:
    """The id that `work`, in a transaction, makes of the form that was sent, or of a part of it.

    The same form sent again, by a second click or a retry, does nothing more and gets the same id.
    Every page masks its forms' CSRF token anew, so no two of them are alike; and one that was
    changed after the Back button is another.
    """
    actor, sent = current_actor(), [request.path, part, sorted(request.form.items(multi=True))]
    asked = Request(f"form:{Request('', sent).hash}", sent)
    return in_transaction(lambda: idempotency.once(asked, Buyer(actor), work))


def tell_of_another(form: Form, found: Product | Category) -> None:
    """Where somebody was faster, say so, and let the form be sent again on purpose."""
    if form.code == "precondition_failed":
        form.problem = MEANWHILE.format(type(found).__name__.lower())
        form.values["version"] = found.version


def too_large() -> Form:
    """What is told of a file that weighs more than may be sent."""
    form = Form()
    form.note(Invalid({"file": ["This file is too large."]}))
    form.status = 413
    return form


def _require_staff() -> None:
    actor = current_actor()
    if actor.user_id is None:
        raise Unauthenticated()
    if not actor.is_admin:
        raise Forbidden()
