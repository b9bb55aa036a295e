"""Receivers of webhooks and their deliveries in the API."""

from typing import Any

from flask import current_app
from marshmallow import ValidationError
from marshmallow import fields as ma
from marshmallow.validate import Length, OneOf

from app.domain.event_types import EVENT_TYPES
from app.domain.webhook_urls import MAX_URL, NotReceiver, check_url
from app.models import Base, WebhookDelivery, WebhookEndpoint
from app.schemas.base import Body, Flag, Items, Name, ShopSchema, Text, Time
from app.schemas.paging import CursorArgs, list_schema

STATUSES = ("waiting", "delivered", "dead")


class ReceiverUrl(ma.String):
    """The address of a receiver: HTTPS, and in development HTTP as well where the settings say so."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"format": "uri", "maxLength": MAX_URL, "example": "https://erp.example/shop"}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        try:
            return check_url(text, current_app.config["WEBHOOK_ALLOW_PRIVATE"])
        except NotReceiver as error:
            raise ValidationError(str(error)) from None


class WebhookEndpointSchema(ShopSchema):
    """A receiver of webhooks."""

    id = ma.Integer(dump_only=True)
    url = ReceiverUrl(required=True)
    types = Items(
        ma.String(validate=OneOf(EVENT_TYPES)),
        validate=Length(max=len(EVENT_TYPES)),
        metadata={"description": "The types of events that it is told; none stands for all."},
    )
    description = Text(200)
    is_active = Flag()
    trouble = ma.String(
        dump_only=True, allow_none=True,
        metadata={"description": "Why somebody should look at it; null if nothing is wrong."},
    )  # fmt: skip
    old_secret_until = Time(allow_none=True)
    created_at = Time()


class NewWebhookEndpointSchema(WebhookEndpointSchema):
    """A receiver of webhooks with its secret, which is shown this once."""

    secret = ma.String(dump_only=True)


class WebhookSecretSchema(ShopSchema):
    """A new secret, which is shown this once."""

    secret = ma.String(dump_only=True)
    old_secret_until = Time()


class WebhookEndpointsSchema(ShopSchema):
    """All receivers; there are at most 50."""

    items = ma.List(ma.Nested(WebhookEndpointSchema))


class WebhookDeliverySchema(ShopSchema):
    """One event for one receiver."""

    id = ma.Integer()
    event_seq = ma.Integer()
    type = ma.String(validate=OneOf(EVENT_TYPES))
    status = ma.String(validate=OneOf(STATUSES))
    attempts = ma.Integer()
    last_status = ma.Integer(allow_none=True)
    last_error = ma.String(allow_none=True)
    last_milliseconds = ma.Integer(allow_none=True)
    next_at = Time(allow_none=True, metadata={"description": "Null once the delivery has ended."})
    created_at = Time()
    ended_at = Time(allow_none=True)


class DeliveryListArgs(CursorArgs):
    """What a client may ask of the list of deliveries."""

    status = ma.String(
        load_default=None, validate=OneOf(STATUSES),
        metadata={"description": "Only deliveries of this status."},
    )  # fmt: skip


WebhookDeliveryListSchema = list_schema(WebhookDeliverySchema)


def show_delivery(delivery: WebhookDelivery) -> dict[str, object]:
    """A delivery as `WebhookDeliverySchema` describes it."""
    next_at = delivery.next_at if delivery.status == "waiting" else None
    return {**_columns(delivery, WebhookDeliverySchema), "next_at": next_at}


def show_new_endpoint(endpoint: WebhookEndpoint, secret: str) -> dict[str, object]:
    """An endpoint with its secret, as `NewWebhookEndpointSchema` describes it."""
    return {**_columns(endpoint, WebhookEndpointSchema), "secret": secret}


def _columns(row: Base, schema: type[ShopSchema]) -> dict[str, object]:
    return {name: getattr(row, name) for name in schema().fields}
