"""Routes of promotions and their codes, for staff."""

from typing import Any

from flask import Response, jsonify, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import in_transaction
from app.domain.text import NotText
from app.errors import Invalid
from app.models import PromotionCode
from app.schemas.base import store_currency
from app.schemas.paging import CursorArgs, list_schema
from app.schemas.promotions import (
    NewCodesSchema,
    PromotionCodeSchema,
    PromotionCodesSchema,
    PromotionSchema,
    show_code,
    show_promotion,
)
from app.services.pricing import promotion_codes, promotion_service
from app.services.pricing.promotion_service import PromotionInput, PromotionView
from app.utils.decorators import admin_required
from app.web.answers import json_response
from app.web.blueprints import ShopBlueprint
from app.web.callers.identity import current_actor
from app.web.keyed_requests import once, takes_key
from app.web.pagination import list_body, read_part
from app.web.preconditions import without_etag

blp = ShopBlueprint("promotions", __name__, url_prefix="/api/promotions", private=True)
PROMOTION = "/<int:promotion_id>"
CODES = f"{PROMOTION}/codes"


@blp.get("")
@admin_required
@blp.arguments(CursorArgs, location="query")
@blp.response(200, list_schema(PromotionSchema))
def list_promotions(args: dict[str, Any]) -> ResponseReturnValue:
    """All promotions, newest first."""
    part = read_part(
        args, promotion_service.page_of_promotions, promotion_service.slice_of_promotions
    )
    views = promotion_service.views_of(part.items)
    body, links = list_body(part, [show_promotion(view, store_currency()) for view in views])
    return jsonify(body), 200, links


@blp.post("")
@admin_required
@blp.arguments(PromotionSchema)
@blp.response(201, PromotionSchema)
@takes_key
def create_promotion(fields: PromotionInput) -> Response:
    """Add a promotion."""
    actor, currency = current_actor(), store_currency()

    def create() -> Response:
        view = promotion_service.create_promotion(actor, fields, currency)
        location = url_for("promotions.get_promotion", promotion_id=view.promotion.id)
        return json_response(show_promotion(view, currency), 201, {"Location": location})

    return once(without_etag(create, creates=True))


@blp.get(PROMOTION)
@admin_required
@blp.response(200, PromotionSchema)
def get_promotion(promotion_id: int) -> Response:
    """One promotion."""
    return _show(promotion_service.get_promotion(promotion_id))


@blp.route(PROMOTION, methods=["PATCH", "PUT"])
@admin_required
@blp.arguments(PromotionSchema(partial=True))
@blp.response(200, PromotionSchema)
def edit_promotion(changes: PromotionInput, promotion_id: int) -> Response:
    """Change the fields that are sent. Orders keep what they were placed with."""
    actor, currency = current_actor(), store_currency()
    return _show(
        in_transaction(
            without_etag(
                lambda: promotion_service.edit_promotion(actor, promotion_id, changes, currency)
            )
        )
    )


@blp.delete(PROMOTION)
@admin_required
@blp.response(204)
def delete_promotion(promotion_id: int) -> None:
    """Withdraw a promotion with its codes. Orders keep what it took off."""
    actor = current_actor()
    in_transaction(without_etag(lambda: promotion_service.delete_promotion(actor, promotion_id)))


@blp.get(CODES)
@admin_required
@blp.arguments(CursorArgs, location="query")
@blp.response(200, list_schema(PromotionCodeSchema))
def list_codes(args: dict[str, Any], promotion_id: int) -> ResponseReturnValue:
    """The codes of a promotion, oldest first, with their uses."""
    part = read_part(
        {"promotion_id": promotion_id, **args},
        promotion_codes.page_of_codes,
        promotion_codes.slice_of_codes,
    )
    return list_body(part, [show_code(code) for code in promotion_codes.views_of(part.items)])


@blp.post(CODES)
@admin_required
@blp.arguments(NewCodesSchema)
@blp.response(201, PromotionCodesSchema)
@takes_key
def add_codes(fields: dict[str, Any], promotion_id: int) -> Response:
    """Add a code as it is given, or up to 10,000 that nobody can guess."""

    def add() -> Response:
        codes = promotion_codes.views_of(_new_codes(fields, promotion_id))
        location = url_for("promotions.list_codes", promotion_id=promotion_id)
        body = {"items": [show_code(code) for code in codes]}
        return json_response(body, 201, {"Location": location})

    return once(without_etag(add, creates=True))


@blp.delete(f"{CODES}/<code>")
@admin_required
@blp.response(204)
def remove_code(promotion_id: int, code: str) -> None:
    """Withdraw a code, named by itself or by its id."""
    actor = current_actor()
    in_transaction(without_etag(lambda: promotion_codes.remove_code(actor, promotion_id, code)))


def _new_codes(fields: dict[str, Any], promotion_id: int) -> list[PromotionCode]:
    actor, limit = current_actor(), fields["limit_total"]
    if "code" in fields:
        return promotion_codes.add_code(actor, promotion_id, fields["code"], limit)
    prefix, length = fields.get("prefix", ""), fields["length"]
    try:
        return promotion_codes.generate(actor, promotion_id, fields["count"], prefix, length, limit)
    except NotText as error:
        raise Invalid({"prefix": [str(error)]}) from None


def _show(view: PromotionView) -> Response:
    return json_response(show_promotion(view, store_currency()))
