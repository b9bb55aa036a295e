"""What all pages for staff share: the check of the role, navigation, lists and forms."""

from collections.abc import Callable
from typing import Any

from flask import Response, make_response, render_template, request, url_for
from marshmallow import Schema

from app.db.unit_of_work import in_transaction
from app.domain.people.buyer import Buyer
from app.errors import Invalid
from app.models import Category, Product
from app.pages.blueprint import PageBlueprint
from app.pages.forms import Form
from app.services import user_service
from app.services.messages import idempotency
from app.services.messages.idempotency import KeyedRequest
from app.utils.decorators import require_staff
from app.web.callers.identity import current_actor
from app.web.uploads import allow_large_body

NAVIGATION = (
    ("admin_dashboard.show", "Today"),
    ("admin_orders.list_orders", "Orders"),
    ("admin_products.list_products", "Products"),
    ("admin_categories.list_categories", "Categories"),
    ("admin_customers.list_customers", "Customers"),
    ("admin_promotions.list_promotions", "Promotions"),
    ("admin_reports.show", "Reports"),
    ("admin_imports.show", "Import"),
    ("admin_jobs.list_jobs", "Jobs"),
    ("admin_trail.list_events", "Audit trail"),
    ("admin_security.list_events", "Security"),
    ("admin_settings.show", "Settings"),
)
"""Endpoint and label of each section, in the order of the page header."""
CONFLICT = (
    "Somebody has changed this {} since you opened it, so nothing was saved. What you wrote is"
    " still here: saved again, it takes the place of theirs."
)


class AdminBlueprint(PageBlueprint):
    """Redirects anonymous visitors to sign in and refuses customers, before any form is read.

    With `takes_files`, forms may be as large as an upload.
    """

    def __init__(
        self, name: str, import_name: str, takes_files: bool = False, **options: Any
    ) -> None:
        steps = (require_staff, _allow_files) if takes_files else (require_staff,)
        super().__init__(f"admin_{name}", import_name, before_forms=steps, **options)


def admin_page(template: str, status: int = 200, **context: object) -> Response:
    """Render a page for staff with its surroundings."""
    email = user_service.get_user(current_actor().user_id or 0).email
    page = render_template(f"admin/{template}", navigation=NAVIGATION, email=email, **context)
    return make_response(page, status)


def admin_form(template: str, form: Form, **context: object) -> Response:
    """Render a page for staff with a form, with the form's status and headers."""
    response = admin_page(template, form.status, form=form, **context)
    response.headers.update(form.headers)
    return response


def read_query(schema: Schema) -> dict[str, Any]:
    """The query string by a schema; empty, unknown and invalid arguments are ignored."""
    values = {
        name: value for name, value in request.args.items() if value and name in schema.load_fields
    }
    errors = schema.validate(values)
    args: dict[str, Any] = schema.load({n: v for n, v in values.items() if n not in errors})
    return args


def page_href(schema: Schema) -> Callable[[int], str]:
    """A function that returns the address of another page of this list, with the same filters."""
    args = {name: value for name, value in request.args.items() if name in schema.load_fields}
    endpoint = request.endpoint or ""

    def href(page: int) -> str:
        values: dict[str, Any] = {**args, **(request.view_args or {}), "page": page}
        return url_for(endpoint, **values)

    return href


def once(work: Callable[[], int | None], part: str = "") -> int:
    """Run `work` in a transaction, once for the form in this request, or for a `part` of it; returns
    the id that `work` returned.

    Sending the same form again, by a second click or a retry, does nothing and returns the same id. Two
    forms are never equal, because each page has a new CSRF token; a form that was changed after the Back
    button is a different one.
    """
    actor, body = current_actor(), [request.path, part, sorted(request.form.items(multi=True))]
    key = f"form:{KeyedRequest('', body).hash}"
    return in_transaction(lambda: idempotency.once(KeyedRequest(key, body), Buyer(actor), work))


def explain_conflict(form: Form, current: Product | Category) -> None:
    """If somebody else changed the row first, say so, and let staff send the form again."""
    if form.code == "precondition_failed":
        form.problem = CONFLICT.format(type(current).__name__.lower())
        form.values["version"] = current.version


def file_too_large() -> Form:
    """A form that says that the uploaded file is too large."""
    form = Form()
    form.show_refusal(Invalid({"file": ["This file is too large."]}))
    form.status = 413
    return form


def _allow_files() -> None:
    if request.mimetype == "multipart/form-data":
        allow_large_body(request)
