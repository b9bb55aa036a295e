"""Webhooks for staff: the receivers, their secrets, and what was delivered to them."""

from typing import Any, cast

from flask import Response, flash, request, url_for
from marshmallow import Schema

from app.db.unit_of_work import in_transaction
from app.domain.event_types import EVENT_TYPES
from app.errors import Conflict, NotFound
from app.models import WebhookEndpoint
from app.pages.admin.base import (
    AdminBlueprint,
    admin_form,
    admin_page,
    once,
    page_href,
    read_query,
)
from app.pages.blueprint import see_other
from app.pages.forms import Form
from app.schemas.paging import PageArgs
from app.schemas.webhooks import WebhookEndpointSchema
from app.services.messages import webhook_deliveries, webhook_endpoints
from app.services.messages.webhook_endpoints import EndpointInput, NewSecret
from app.web.callers.identity import current_actor

blp = AdminBlueprint("webhooks", __name__, url_prefix="/admin/webhooks")
ENDPOINT, ARGS = WebhookEndpointSchema(), PageArgs()
FIELDS = ("url", "types", "description", "is_active")


class EndpointForm(Form):
    """An endpoint. No box that is ticked stands for all types."""

    @property
    def types(self) -> list[str]:
        """The types whose boxes are ticked."""
        types: list[str] = self.values.get("types", [])
        return types

    def _load(self, schema: Schema) -> dict[str, Any]:
        body = {
            "url": self.value("url").strip(),
            "types": self.types,
            "description": self.value("description"),
            "is_active": bool(self.value("is_active")),
        }
        return self._read(schema, body)


def _form_of_request() -> EndpointForm:
    form = EndpointForm.from_request()
    form.values["types"] = request.form.getlist("types")
    return form


@blp.get("")
def list_endpoints() -> Response:
    """All receivers, oldest first."""
    return admin_page("webhooks.html", endpoints=webhook_endpoints.list_endpoints())


@blp.get("/new")
def show_new() -> Response:
    """The form for another receiver."""
    return _new(EndpointForm({"is_active": "1", "types": []}))


@blp.post("/new")
def create() -> Response:
    """Add a receiver, and show its secret this once."""
    actor, form, secrets = current_actor(), _form_of_request(), list[NewSecret]()

    def save(fields: dict[str, object]) -> int:
        def work() -> int:
            secrets[:] = [webhook_endpoints.create_endpoint(actor, cast(EndpointInput, fields))]
            return secrets[0].endpoint.id

        return once(work)

    endpoint_id = form.carry_out(ENDPOINT, save)
    if endpoint_id is None:
        return _new(form)
    return _secret(secrets, endpoint_id)


@blp.get("/<int:endpoint_id>")
def show_endpoint(endpoint_id: int) -> Response:
    """A receiver, to be changed, with its deliveries."""
    endpoint = webhook_endpoints.get_endpoint(endpoint_id)
    values = {name: getattr(endpoint, name) for name in FIELDS}
    return _one(EndpointForm({**values, "is_active": "1" if endpoint.is_active else ""}), endpoint)


@blp.post("/<int:endpoint_id>")
def change(endpoint_id: int) -> Response:
    """Change a receiver."""
    actor, form = current_actor(), _form_of_request()

    def save(fields: dict[str, object]) -> int:
        changes = cast(EndpointInput, fields)
        return once(lambda: webhook_endpoints.edit_endpoint(actor, endpoint_id, changes).id)

    if form.carry_out(ENDPOINT, save) is None:
        return _one(form, webhook_endpoints.get_endpoint(endpoint_id))
    flash("The endpoint is saved.")
    return see_other(url_for(".show_endpoint", endpoint_id=endpoint_id))


@blp.post("/<int:endpoint_id>/rotate")
def rotate_secret(endpoint_id: int) -> Response:
    """Make a new secret, and show it this once."""
    actor, secrets = current_actor(), list[NewSecret]()

    def work() -> int:
        secrets[:] = [webhook_endpoints.rotate_secret(actor, endpoint_id)]
        return endpoint_id

    once(work)
    return _secret(secrets, endpoint_id)


@blp.post("/<int:endpoint_id>/delete")
def delete(endpoint_id: int) -> Response:
    """Remove a receiver with its deliveries."""
    actor = current_actor()
    try:
        in_transaction(lambda: webhook_endpoints.delete_endpoint(actor, endpoint_id))
    except NotFound:
        flash("This endpoint is deleted already.", "error")
    else:
        flash("The endpoint is deleted.")
    return see_other(url_for(".list_endpoints"))


@blp.post("/<int:endpoint_id>/deliveries/<int:delivery_id>/resend")
def resend(endpoint_id: int, delivery_id: int) -> Response:
    """Send a delivery again."""
    actor = current_actor()
    try:
        once(lambda: webhook_deliveries.resend(actor, delivery_id).id)
    except Conflict as refusal:
        flash(refusal.detail, "error")
    else:
        flash("The delivery is due again. The worker sends it within a second.")
    return see_other(url_for(".show_endpoint", endpoint_id=endpoint_id))


def _new(form: EndpointForm) -> Response:
    return admin_form("webhook.html", form, endpoint=None, types=EVENT_TYPES)


def _one(form: EndpointForm, endpoint: WebhookEndpoint) -> Response:
    deliveries = webhook_deliveries.list_deliveries(endpoint.id, **read_query(ARGS))
    return admin_form(
        "webhook.html", form, endpoint=endpoint, types=EVENT_TYPES, deliveries=deliveries,
        page_href=page_href(ARGS),
    )  # fmt: skip


def _secret(secrets: list[NewSecret], endpoint_id: int) -> Response:
    """The new secret; where the same form was sent again, the endpoint, because it is shown once."""
    if not secrets:
        return see_other(url_for(".show_endpoint", endpoint_id=endpoint_id))
    endpoint, secret = secrets[0]
    return admin_page("webhook_secret.html", endpoint=endpoint, secret=secret)
