"""Routes of shipping zones and methods: everybody sees how the shop ships, staff change it."""

from typing import Any

from flask import Response, jsonify, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import in_transaction
from app.domain.pricing.model import Destination
from app.models import ShippingMethod, ShippingZone
from app.schemas.base import store_currency
from app.schemas.paging import CursorArgs, list_schema
from app.schemas.shipping import (
    MethodListArgs,
    ShippingMethodSchema,
    ShippingZoneSchema,
    show_method,
    show_zone,
)
from app.schemas.taxes import region_in
from app.services.pricing import shipping_methods, shipping_zones
from app.services.pricing.shipping_methods import MethodInput
from app.services.pricing.shipping_zones import ZoneInput
from app.utils.decorators import admin_required
from app.web.answers import json_response
from app.web.blueprints import ShopBlueprint
from app.web.callers.identity import current_actor
from app.web.keyed_requests import once, takes_key
from app.web.pagination import list_body, read_part
from app.web.preconditions import without_etag

blp = ShopBlueprint("shipping", __name__, url_prefix="/api", private=True)
ZONES, ZONE = "/shipping-zones", "/shipping-zones/<int:zone_id>"
METHODS, METHOD = "/shipping-methods", "/shipping-methods/<int:method_id>"


@blp.get(ZONES)
@admin_required
@blp.arguments(CursorArgs, location="query")
@blp.response(200, list_schema(ShippingZoneSchema))
def list_zones(args: dict[str, Any]) -> ResponseReturnValue:
    """All shipping zones, oldest first."""
    part = read_part(args, shipping_zones.page_of_zones, shipping_zones.slice_of_zones)
    body, links = list_body(part, [show_zone(zone) for zone in part.items])
    return jsonify(body), 200, links


@blp.post(ZONES)
@admin_required
@blp.arguments(ShippingZoneSchema)
@blp.response(201, ShippingZoneSchema)
@takes_key
def create_zone(fields: ZoneInput) -> Response:
    """Add a shipping zone. A place is in one zone only, and one zone is the rest of the world
    (409 `place_taken`)."""
    actor = current_actor()

    def create() -> Response:
        zone = shipping_zones.create_zone(actor, fields)
        location = url_for("shipping.get_zone", zone_id=zone.id)
        return json_response(show_zone(zone), 201, {"Location": location})

    return once(without_etag(create, creates=True))


@blp.get(ZONE)
@admin_required
@blp.response(200, ShippingZoneSchema)
def get_zone(zone_id: int) -> Response:
    """One shipping zone."""
    return _show_zone(shipping_zones.get_zone(zone_id))


@blp.route(ZONE, methods=["PATCH", "PUT"])
@admin_required
@blp.arguments(ShippingZoneSchema(partial=True))
@blp.response(200, ShippingZoneSchema)
def edit_zone(changes: ZoneInput, zone_id: int) -> Response:
    """Change the fields that are sent; `places` replaces all places."""
    actor = current_actor()
    return _show_zone(
        in_transaction(without_etag(lambda: shipping_zones.edit_zone(actor, zone_id, changes)))
    )


@blp.delete(ZONE)
@admin_required
@blp.response(204)
def delete_zone(zone_id: int) -> None:
    """Remove a shipping zone that has no methods (409 `zone_not_empty`)."""
    actor = current_actor()
    in_transaction(without_etag(lambda: shipping_zones.delete_zone(actor, zone_id)))


@blp.get(METHODS)
@blp.arguments(MethodListArgs, location="query")
@blp.response(200, list_schema(ShippingMethodSchema))
def list_methods(args: dict[str, Any]) -> ResponseReturnValue:
    """The active shipping methods of a place, or of all places; without a place staff also see those
    that are not active."""
    country, region = args.pop("country", None), args.pop("region", "")
    if country is not None:
        args["destination"] = Destination(country, region_in(country, region, "region"))
    args["is_admin"] = current_actor().is_admin
    part = read_part(args, shipping_methods.page_of_methods, shipping_methods.slice_of_methods)
    body, links = list_body(part, [show_method(method, store_currency()) for method in part.items])
    return jsonify(body), 200, links


@blp.post(METHODS)
@admin_required
@blp.arguments(ShippingMethodSchema)
@blp.response(201, ShippingMethodSchema)
@takes_key
def create_method(fields: MethodInput) -> Response:
    """Add a shipping method to a zone."""
    actor, currency = current_actor(), store_currency()

    def create() -> Response:
        method = shipping_methods.create_method(actor, fields, currency)
        location = url_for("shipping.get_method", method_id=method.id)
        return json_response(show_method(method, currency), 201, {"Location": location})

    return once(without_etag(create, creates=True))


@blp.get(METHOD)
@admin_required
@blp.response(200, ShippingMethodSchema)
def get_method(method_id: int) -> Response:
    """One shipping method."""
    return _show_method(shipping_methods.get_method(method_id))


@blp.route(METHOD, methods=["PATCH", "PUT"])
@admin_required
@blp.arguments(ShippingMethodSchema(partial=True))
@blp.response(200, ShippingMethodSchema)
def edit_method(changes: MethodInput, method_id: int) -> Response:
    """Change the fields that are sent. Orders keep the name and the price that they have."""
    actor, currency = current_actor(), store_currency()
    return _show_method(
        in_transaction(
            without_etag(lambda: shipping_methods.edit_method(actor, method_id, changes, currency))
        )
    )


@blp.delete(METHOD)
@admin_required
@blp.response(204)
def delete_method(method_id: int) -> None:
    """Remove a shipping method."""
    actor = current_actor()
    in_transaction(without_etag(lambda: shipping_methods.delete_method(actor, method_id)))


def _show_zone(zone: ShippingZone) -> Response:
    return json_response(show_zone(zone))


def _show_method(method: ShippingMethod) -> Response:
    return json_response(show_method(method, store_currency()))
