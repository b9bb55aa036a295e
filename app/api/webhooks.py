"""Routes of webhooks: receivers, their secrets and deliveries, for staff."""

from typing import Any

from flask import Response, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import in_transaction
from app.models import WebhookEndpoint
from app.schemas.webhooks import (
    DeliveryListArgs,
    NewWebhookEndpointSchema,
    WebhookDeliveryListSchema,
    WebhookDeliverySchema,
    WebhookEndpointSchema,
    WebhookEndpointsSchema,
    WebhookSecretSchema,
    show_delivery,
    show_new_endpoint,
)
from app.services.messages import webhook_deliveries, webhook_endpoints
from app.services.messages.webhook_endpoints import EndpointInput
from app.utils.decorators import admin_required
from app.web.answers import json_response
from app.web.blueprints import ShopBlueprint
from app.web.callers.identity import current_actor
from app.web.keyed_requests import once, refuses_key, takes_key
from app.web.pagination import list_body, read_part
from app.web.preconditions import without_etag

blp = ShopBlueprint("webhooks", __name__, url_prefix="/api/webhook-endpoints", private=True)
DELIVERY = WebhookDeliverySchema()


@blp.get("")
@admin_required
@blp.response(200, WebhookEndpointsSchema)
def list_endpoints() -> dict[str, object]:
    """All receivers, oldest first."""
    return {"items": webhook_endpoints.list_endpoints()}


@blp.post("")
@admin_required
@blp.arguments(WebhookEndpointSchema)
@blp.response(201, NewWebhookEndpointSchema)
@refuses_key
def create_endpoint(fields: EndpointInput) -> ResponseReturnValue:
    """Add a receiver, which is told of what happens from now on. Its secret is shown this once."""
    actor = current_actor()
    new = in_transaction(
        without_etag(lambda: webhook_endpoints.create_endpoint(actor, fields), creates=True)
    )
    location = url_for("webhooks.get_endpoint", endpoint_id=new.endpoint.id)
    return show_new_endpoint(*new), 201, {"Location": location}


@blp.get("/<int:endpoint_id>")
@admin_required
@blp.response(200, WebhookEndpointSchema)
def get_endpoint(endpoint_id: int) -> WebhookEndpoint:
    """One receiver."""
    return webhook_endpoints.get_endpoint(endpoint_id)


@blp.route("/<int:endpoint_id>", methods=["PATCH", "PUT"])
@admin_required
@blp.arguments(WebhookEndpointSchema(partial=True))
@blp.response(200, WebhookEndpointSchema)
def edit_endpoint(changes: EndpointInput, endpoint_id: int) -> WebhookEndpoint:
    """Change the fields that are sent. Deliveries that wait are tried again at once."""
    actor = current_actor()
    return in_transaction(
        without_etag(lambda: webhook_endpoints.edit_endpoint(actor, endpoint_id, changes))
    )


@blp.delete("/<int:endpoint_id>")
@admin_required
@blp.response(204)
def delete_endpoint(endpoint_id: int) -> None:
    """Remove a receiver with its deliveries."""
    actor = current_actor()
    in_transaction(without_etag(lambda: webhook_endpoints.delete_endpoint(actor, endpoint_id)))


@blp.post("/<int:endpoint_id>/rotate")
@admin_required
@blp.response(200, WebhookSecretSchema)
@refuses_key
def rotate_secret(endpoint_id: int) -> dict[str, object]:
    """Make a new secret, which is shown this once. For a day deliveries have two signatures."""
    actor = current_actor()
    new = in_transaction(without_etag(lambda: webhook_endpoints.rotate_secret(actor, endpoint_id)))
    return {"secret": new.secret, "old_secret_until": new.endpoint.old_secret_until}


@blp.get("/<int:endpoint_id>/deliveries")
@admin_required
@blp.arguments(DeliveryListArgs, location="query")
@blp.response(200, WebhookDeliveryListSchema)
def list_deliveries(args: dict[str, Any], endpoint_id: int) -> ResponseReturnValue:
    """The deliveries of a receiver, newest first."""
    webhook_endpoints.get_endpoint(endpoint_id)
    part = read_part(
        {"endpoint_id": endpoint_id, **args},
        webhook_deliveries.list_deliveries,
        webhook_deliveries.slice_of_deliveries,
    )
    return list_body(part, [show_delivery(delivery) for delivery in part.items])


@blp.post("/deliveries/<int:delivery_id>/resend")
@admin_required
@blp.response(200, DELIVERY)
@takes_key
def resend(delivery_id: int) -> Response:
    """Send a delivery again, with the same `webhook-id`."""
    actor = current_actor()

    def work() -> Response:
        delivery = webhook_deliveries.resend(actor, delivery_id)
        return json_response(DELIVERY.dump(show_delivery(delivery)), 200)

    return once(without_etag(work))
