"""Shipping for staff: zones with their places, methods with their prices, and a try-out."""

from typing import Any, cast

from flask import Response, flash, request, url_for
from marshmallow import Schema, post_load

from app.domain.money import MAX_PRICE, to_text
from app.domain.pricing.model import Destination, Pricing
from app.domain.pricing.rate_tables import MAX_GRAMS, MAX_ROWS
from app.errors import Conflict
from app.models import ShippingMethod, ShippingZone
from app.pages.admin.base import (
    AdminBlueprint,
    admin_form,
    once,
    page_href,
    read_query,
)
from app.pages.blueprint import see_other
from app.pages.formats import plain_amount, written_amount
from app.pages.forms import Form, parse_optional_whole, parse_whole
from app.schemas.base import Money, ShopSchema, Text, Whole, store_currency
from app.schemas.paging import PageArgs
from app.schemas.shipping import ShippingMethodSchema, ShippingZoneSchema
from app.schemas.taxes import region_in
from app.schemas.users import Country
from app.services.pricing import shipping_methods, shipping_zones, trials
from app.services.pricing.shipping_methods import MethodInput
from app.services.pricing.shipping_zones import ZoneInput
from app.web.callers.identity import current_actor

blp = AdminBlueprint("settings_shipping", __name__, url_prefix="/admin/settings/shipping")
ZONE, METHOD, ARGS = ShippingZoneSchema(), ShippingMethodSchema(), PageArgs()
EMPTY_ROWS = 3
"""Rows of a method's form beyond those that are filled in."""
NOT_REGIONS = "One code of ISO 3166-2 in each line, such as CA-QC."
CELLS = ("from", "until", "price")
TEXTS = ("name", "description", "basis")
NUMBERS = ("min_days", "max_days", "position")


class TryOutSchema(ShopSchema):
    """What is tried out: a place, the amount of the goods, and their weight in grams."""

    country = Country(required=True)
    region = Text(10, load_default="")
    goods = Money(high=MAX_PRICE, required=True)
    weight = Whole(0, MAX_GRAMS, load_default=0)

    @post_load
    def _place(self, data: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        region = region_in(data["country"], data["region"], "region")
        return {**data, "place": Destination(data["country"], region)}


class TryOutForm(Form):
    """The form of the try-out; the amount is written as in the locale."""

    def _load(self, schema: Schema) -> dict[str, Any]:
        body = {
            "country": self.value("country"),
            "region": self.value("region"),
            "goods": plain_amount(self.value("goods").strip()),
            "weight": parse_whole(self.value("weight").strip() or "0"),
        }
        return self._read(schema, body)


class ZoneForm(Form):
    """A zone: countries whose boxes are ticked, and regions as codes of ISO 3166-2, one in a line."""

    @classmethod
    def from_request(cls) -> "ZoneForm":
        """The form in this request, with the boxes that are ticked."""
        return cls({**request.form.to_dict(), "countries": request.form.getlist("countries")})

    @classmethod
    def of(cls, zone: ShippingZone) -> "ZoneForm":
        """The form filled in with a zone."""
        regions = [f"{place.country}-{place.region}" for place in zone.places if place.region]
        return cls(
            {
                "name": zone.name,
                "countries": [place.country for place in zone.places if not place.region],
                "regions": "\n".join(sorted(regions)),
                "rest_of_world": "1" if zone.rest_of_world else "",
            }
        )

    @property
    def countries(self) -> list[str]:
        """The codes of the countries whose boxes are ticked."""
        codes: list[str] = self.values.get("countries", [])
        return codes

    def show_refusal(self, refusal: Any) -> None:
        """Show what is wrong with a place beside the regions, which alone are typed."""
        super().show_refusal(refusal)
        if any(name.startswith("places") for name in self.errors):
            self.errors["regions"] = [NOT_REGIONS]

    def _load(self, schema: Schema) -> dict[str, Any]:
        lines = [line.strip() for line in self.value("regions").splitlines() if line.strip()]
        body = {
            "name": self.value("name"),
            "places": [
                *({"country": code} for code in self.countries),
                *(
                    dict(zip(("country", "region"), line.split("-", 1), strict=False))
                    for line in lines
                ),
            ],
            "rest_of_world": bool(self.value("rest_of_world")),
        }
        return self._read(schema, body)


class MethodForm(Form):
    """A method. Rows without a price are left out; amounts are written as in the locale."""

    @classmethod
    def of(cls, method: ShippingMethod) -> "MethodForm":
        """The form filled in with a method."""
        currency = store_currency()
        values = {
            name: getattr(method, name) for name in (*TEXTS, *NUMBERS, "zone_id", "tax_class")
        }
        for place, row in enumerate(method.rates):
            values |= {
                f"rates.{place}.{cell}": _written(row[cell], method.basis, cell) for cell in CELLS
            }
        if method.free_from is not None:
            values["free_from"] = written_amount(to_text(method.free_from, currency))
        return cls({**values, "is_active": "1" if method.is_active else ""})

    @property
    def rows(self) -> int:
        """How many rows the table shows."""
        filled = [
            place
            for place in range(MAX_ROWS)
            if any(self.value(f"rates.{place}.{cell}") for cell in CELLS)
        ]
        return min(MAX_ROWS, max(filled, default=-1) + 1 + EMPTY_ROWS)

    def _load(self, schema: Schema) -> dict[str, Any]:
        basis = self.value("basis")
        body: dict[str, object] = {
            "zone_id": parse_whole(self.value("zone_id")),
            **{name: self.value(name) for name in TEXTS},
            "rates": [_rate(row, basis) for row in self._move_up_rows()],
            "free_from": plain_amount(self.value("free_from").strip()) or None,
            "tax_class": self.value("tax_class").strip() or "standard",
            "position": parse_whole(self.value("position").strip() or "0"),
            "min_days": parse_optional_whole(self.value("min_days")),
            "max_days": parse_optional_whole(self.value("max_days")),
            "is_active": bool(self.value("is_active")),
        }
        return self._read(schema, body)

    def _move_up_rows(self) -> list[dict[str, str]]:
        """The rows that are filled in. They are moved to the top, so that errors stand beside them."""
        rows = [
            {cell: str(self.values.pop(f"rates.{place}.{cell}", "")).strip() for cell in CELLS}
            for place in range(MAX_ROWS)
        ]
        filled = [row for row in rows if any(row.values())]
        for place, row in enumerate(filled):
            self.values |= {f"rates.{place}.{cell}": text for cell, text in row.items()}
        return filled


def _written(value: int | None, basis: str, cell: str) -> str:
    if value is None or (cell == "from" and basis == "flat"):
        return ""
    if cell == "price" or basis == "subtotal":
        return written_amount(to_text(value, store_currency()))
    return str(value)


def _rate(row: dict[str, str], basis: str) -> dict[str, object]:
    """A row of the table as the API takes it."""
    bounds = {
        cell: plain_amount(row[cell]) if basis == "subtotal" else parse_whole(row[cell])
        for cell in ("from", "until")
        if row[cell]
    }
    return {**bounds, "price": plain_amount(row["price"])}


@blp.get("")
def list_zones() -> Response:
    """The zones with their methods, and what an order to some place would be offered."""
    args = read_query(ARGS)
    results = shipping_zones.page_of_zones(args["page"], args["per_page"])
    form = TryOutForm(request.args.to_dict())
    tried = form.carry_out(TryOutSchema(), _try_out) if form.value("country") else None
    methods = shipping_methods.methods_of([zone.id for zone in results.items])
    return admin_form(
        "shipping.html",
        form,
        results=results,
        page_href=page_href(ARGS),
        methods=methods,
        tried=tried,
    )


@blp.get("/zones/new")
def show_new_zone() -> Response:
    """The form for another zone."""
    return _zone_page(ZoneForm())


@blp.post("/zones/new")
def create_zone() -> Response:
    """Add a zone."""
    actor, form = current_actor(), ZoneForm.from_request()

    def save(fields: dict[str, Any]) -> int:
        return once(lambda: shipping_zones.create_zone(actor, cast(ZoneInput, fields)).id)

    if form.carry_out(ZONE, save) is None:
        return _zone_page(form)
    return _done("The zone is added. Now add a method to it.")


@blp.get("/zones/<int:zone_id>")
def show_zone(zone_id: int) -> Response:
    """A zone, to be changed."""
    return _zone_page(ZoneForm.of(shipping_zones.get_zone(zone_id)), zone_id)


@blp.post("/zones/<int:zone_id>")
def change_zone(zone_id: int) -> Response:
    """Change a zone."""
    actor, form = current_actor(), ZoneForm.from_request()

    def save(fields: dict[str, Any]) -> int:
        return once(lambda: shipping_zones.edit_zone(actor, zone_id, cast(ZoneInput, fields)).id)

    if form.carry_out(ZONE, save) is None:
        return _zone_page(form, zone_id)
    return _done("The zone is saved.")


@blp.post("/zones/<int:zone_id>/delete")
def delete_zone(zone_id: int) -> Response:
    """Remove a zone, which has no methods."""
    actor, form = current_actor(), ZoneForm.of(shipping_zones.get_zone(zone_id))
    try:
        once(lambda: shipping_zones.delete_zone(actor, zone_id))
    except Conflict as refusal:
        form.show_refusal(refusal)
        return _zone_page(form, zone_id)
    return _done("The zone is deleted.")


@blp.get("/methods/new")
def show_new_method() -> Response:
    """The form for another method."""
    zone = request.args.get("zone", "")
    return _method_page(MethodForm({"zone_id": zone, "basis": "flat", "is_active": "1"}))


@blp.post("/methods/new")
def create_method() -> Response:
    """Add a method."""
    actor, form, currency = current_actor(), MethodForm.from_request(), store_currency()

    def save(fields: dict[str, Any]) -> int:
        method = cast(MethodInput, fields)
        return once(lambda: shipping_methods.create_method(actor, method, currency).id)

    return (
        _method_page(form)
        if form.carry_out(METHOD, save) is None
        else _done("The method is added.")
    )


@blp.get("/methods/<int:method_id>")
def show_method(method_id: int) -> Response:
    """A method, to be changed."""
    return _method_page(MethodForm.of(shipping_methods.get_method(method_id)), method_id)


@blp.post("/methods/<int:method_id>")
def change_method(method_id: int) -> Response:
    """Change a method."""
    actor, form, currency = current_actor(), MethodForm.from_request(), store_currency()

    def save(fields: dict[str, Any]) -> int:
        changes = cast(MethodInput, fields)
        return once(lambda: shipping_methods.edit_method(actor, method_id, changes, currency).id)

    if form.carry_out(METHOD, save) is None:
        return _method_page(form, method_id)
    return _done("The method is saved. Orders keep the price that they were placed with.")


@blp.post("/methods/<int:method_id>/delete")
def delete_method(method_id: int) -> Response:
    """Remove a method."""
    actor = current_actor()
    once(lambda: shipping_methods.delete_method(actor, method_id))
    return _done("The method is deleted.")


def _try_out(fields: dict[str, Any]) -> Pricing:
    return trials.try_out(fields["place"], fields["goods"], fields["weight"])


def _zone_page(form: ZoneForm, zone_id: int | None = None) -> Response:
    return admin_form("shipping_zone.html", form, zone_id=zone_id)


def _method_page(form: MethodForm, method_id: int | None = None) -> Response:
    zones = shipping_zones.page_of_zones(1, 100).items
    return admin_form("shipping_method.html", form, method_id=method_id, zones=zones)


def _done(message: str) -> Response:
    flash(message)
    return see_other(url_for(".list_zones"))
