"""The JSON of shipping zones and methods."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields as ma
from marshmallow import post_load
from marshmallow.validate import Length, OneOf

from app.domain.money import to_text
from app.domain.pricing.model import BASES, Destination, OfferedMethod
from app.domain.pricing.rate_tables import MAX_ROWS
from app.models import ShippingMethod, ShippingPlace, ShippingZone
from app.schemas.base import Flag, Items, Money, Part, RowId, ShopSchema, Text, Whole
from app.schemas.paging import CursorArgs
from app.schemas.taxes import REGION, TaxClass, region_in
from app.schemas.users import Country

MAX_PLACES = 1000
MAX_DAYS = 365
BOUND = {"type": ["string", "number"], "examples": ["50.00"]}
"""Money where the basis is the subtotal, grams where it is the weight."""


class PlaceSchema(ShopSchema):
    """A country, or one of its regions."""

    country = Country(required=True)
    region = Text(10, metadata={"description": REGION})

    @post_load
    def _destination(self, data: dict[str, Any], **_kwargs: object) -> Destination:
        region = region_in(data["country"], data.get("region", ""), "region")
        return Destination(data["country"], region)


class ShippingZoneSchema(ShopSchema):
    """Places that the same methods ship to. Each is in one zone only (409 `place_taken`)."""

    id = ma.Integer(dump_only=True)
    name = Text(100, 1, required=True)
    places = Items(Part(PlaceSchema), validate=Length(max=MAX_PLACES))
    rest_of_world = Flag()


class ShippingRateSchema(ShopSchema):
    """A row of a table: it counts from `from` on, and up to and including `until`."""

    from_ = ma.Raw(data_key="from", attribute="from", metadata=BOUND)
    price = Money(required=True)
    until = ma.Raw(allow_none=True, metadata=BOUND)


class ShippingMethodSchema(ShopSchema):
    """A way to ship to the places of a zone."""

    id = ma.Integer(dump_only=True)
    zone_id = RowId(required=True)
    name = Text(100, 1, required=True)
    description = Text(1000, lines=True)
    basis = ma.String(
        validate=OneOf(BASES),
        metadata={
            "description": "What the rows of `rates` compare with; `flat` if it is left out."
        },
    )
    rates = Items(
        Part(ShippingRateSchema),
        required=True,
        validate=Length(1, MAX_ROWS),
        metadata={
            "description": "Of the rows the one with the largest `from` counts that is not above the"
            " goods after promotions (`subtotal`) or the weight in grams (`weight`)."
        },
    )
    free_from = Money(
        allow_none=True, metadata={"description": "From goods of this amount on it costs nothing."}
    )
    tax_class = TaxClass()
    min_days = Whole(0, MAX_DAYS, allow_none=True)
    max_days = Whole(0, MAX_DAYS, allow_none=True)
    position = Whole(0, 10**6)
    is_active = Flag()


class MethodListArgs(CursorArgs):
    """A place that is to be shipped to."""

    country = Country(metadata={"description": "Only active methods that ship there."})
    region = Text(10, metadata={"description": REGION})


def show_zone(zone: ShippingZone) -> dict[str, object]:
    """A zone as `ShippingZoneSchema` describes it."""
    return {
        "id": zone.id,
        "name": zone.name,
        "places": [
            {"country": place.country, "region": place.region}
            for place in sorted(zone.places, key=_place)
        ],
        "rest_of_world": zone.rest_of_world,
    }


def _place(place: ShippingPlace) -> tuple[str, str]:
    return place.country, place.region


def show_method(method: ShippingMethod, currency: str) -> dict[str, object]:
    """A method as `ShippingMethodSchema` describes it."""
    names = ("id", "zone_id", "name", "description", "basis", "tax_class")
    days = ("min_days", "max_days", "position", "is_active")
    free_from = method.free_from
    return {
        **{name: getattr(method, name) for name in names},
        "rates": [_show_rate(row, method.basis, currency) for row in method.rates],
        "free_from": None if free_from is None else to_text(free_from, currency),
        **{name: getattr(method, name) for name in days},
    }


def _show_rate(row: Mapping[str, Any], basis: str, currency: str) -> dict[str, object]:
    def show(bound: int | None) -> object:
        return to_text(bound, currency) if basis == "subtotal" and bound is not None else bound

    return {
        "from": show(row["from"]),
        "price": to_text(row["price"], currency),
        "until": show(row["until"]),
    }


class OfferedMethodSchema(ShopSchema):
    """A way in which this cart can be shipped, and its price."""

    id = ma.Integer()
    name = ma.String()
    description = ma.String()
    price = Money()
    min_days = ma.Integer(allow_none=True)
    max_days = ma.Integer(allow_none=True)


def show_offer(offer: OfferedMethod, currency: str) -> dict[str, object]:
    """An offered method as `OfferedMethodSchema` describes it."""
    method = offer.method
    return {
        "id": method.id,
        "name": method.name,
        "description": method.description,
        "price": to_text(offer.price, currency),
        "min_days": method.min_days,
        "max_days": method.max_days,
    }
