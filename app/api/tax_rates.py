"""Routes of tax rates, for staff."""

from typing import Any

from flask import Response, url_for

from app.db.unit_of_work import in_transaction
from app.models import TaxRate
from app.schemas.paging import CursorArgs, list_schema
from app.schemas.taxes import TaxRateSchema
from app.services.pricing import tax_rates
from app.services.pricing.tax_rates import TaxRateInput
from app.utils.decorators import admin_required
from app.web.answers import json_response
from app.web.blueprints import ShopBlueprint
from app.web.callers.identity import current_actor
from app.web.keyed_requests import once, takes_key
from app.web.pagination import list_body, read_part
from app.web.preconditions import without_etag

blp = ShopBlueprint("tax_rates", __name__, url_prefix="/api/tax-rates", private=True)
RATE = TaxRateSchema()
BodyAndHeaders = tuple[dict[str, object], dict[str, str]]


@blp.get("")
@admin_required
@blp.arguments(CursorArgs, location="query")
@blp.response(200, list_schema(TaxRateSchema))
def list_rates(args: dict[str, Any]) -> BodyAndHeaders:
    """All tax rates, by country."""
    part = read_part(args, tax_rates.page_of_rates, tax_rates.slice_of_rates)
    return list_body(part, list(part.items))


@blp.post("")
@admin_required
@blp.arguments(RATE)
@blp.response(201, RATE)
@takes_key
def create_rate(fields: TaxRateInput) -> Response:
    """Add a tax rate. A place has one of each name and tax class (409 `tax_rate_taken`)."""
    actor = current_actor()

    def create() -> Response:
        rate = tax_rates.create_rate(actor, fields)
        location = url_for("tax_rates.get_rate", rate_id=rate.id)
        return json_response(RATE.dump(rate), 201, {"Location": location})

    return once(without_etag(create, creates=True))


@blp.get("/<int:rate_id>")
@admin_required
@blp.response(200, RATE)
def get_rate(rate_id: int) -> TaxRate:
    """One tax rate."""
    return tax_rates.get_rate(rate_id)


@blp.route("/<int:rate_id>", methods=["PATCH", "PUT"])
@admin_required
@blp.arguments(TaxRateSchema(partial=True))
@blp.response(200, RATE)
def edit_rate(changes: TaxRateInput, rate_id: int) -> TaxRate:
    """Change the fields that are sent. Orders keep the tax that they were placed with."""
    actor = current_actor()
    return in_transaction(without_etag(lambda: tax_rates.edit_rate(actor, rate_id, changes)))


@blp.delete("/<int:rate_id>")
@admin_required
@blp.response(204)
def delete_rate(rate_id: int) -> None:
    """Remove a tax rate."""
    actor = current_actor()
    in_transaction(without_etag(lambda: tax_rates.delete_rate(actor, rate_id)))
