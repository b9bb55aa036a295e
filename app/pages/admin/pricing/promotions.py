"""Promotions for staff: the list with what they brought, a form for each, and what one would have done."""

from typing import Any, cast

from flask import Response, flash, url_for

from app.domain.clock import utc_now
from app.domain.pricing.model import PROMOTION_KINDS
from app.errors import Invalid
from app.pages.admin.base import (
    AdminBlueprint,
    admin_form,
    admin_page,
    once,
    page_href,
    read_query,
)
from app.pages.admin.catalogue.tree import tree
from app.pages.admin.pricing import promotion_words
from app.pages.admin.pricing.promotion_form import PromotionForm
from app.pages.blueprint import see_other
from app.pages.forms import Form
from app.schemas.base import store_currency
from app.schemas.paging import PageArgs
from app.schemas.promotions import PromotionSchema
from app.services.pricing import (
    promotion_articles,
    promotion_codes,
    promotion_figures,
    promotion_preview,
    promotion_service,
)
from app.services.pricing.promotion_figures import PromotionFigures
from app.services.pricing.promotion_service import PromotionInput
from app.web.callers.identity import current_actor

blp = AdminBlueprint("promotions", __name__, url_prefix="/admin/promotions")
PROMOTION, ARGS = PromotionSchema(), PageArgs()
ONE = "/<int:promotion_id>"
CODES_SHOWN = 50
ORDERS_SHOWN = 20
ARTICLES_DELETED = "What it was about is deleted. Name other products or categories, or end it."


@blp.get("")
def list_promotions() -> Response:
    """All promotions, newest first, with their uses and what those orders came to."""
    args = read_query(ARGS)
    results = promotion_service.page_of_promotions(args["page"], args["per_page"])
    views, now = promotion_service.views_of(results.items), utc_now()
    figures = promotion_figures.figures_of([view.promotion.id for view in views])
    rows = [
        {
            "promotion": view.promotion,
            "rule": promotion_words.rule(view.promotion, view.articles),
            "state": promotion_words.state(view.promotion, now),
            "figures": figures.get(view.promotion.id, PromotionFigures()),
        }
        for view in views
    ]
    return admin_page("promotions.html", results=results, rows=rows, page_href=page_href(ARGS))


@blp.get("/new")
def show_new() -> Response:
    """The form for another promotion."""
    return _page(PromotionForm({"kind": "percentage", "is_active": "1"}))


@blp.post("/new")
def create() -> Response:
    """Add a promotion."""
    actor, form, currency = current_actor(), PromotionForm.from_request(), store_currency()

    def save(fields: dict[str, Any]) -> int:
        promotion = cast(PromotionInput, fields)
        return once(
            lambda: promotion_service.create_promotion(actor, promotion, currency).promotion.id
        )

    promotion_id = form.carry_out(PROMOTION, save)
    if promotion_id is None:
        return _page(form)
    return _done("The promotion is added.", promotion_id)


@blp.get(ONE)
def show_promotion(promotion_id: int) -> Response:
    """A promotion, to be changed, with its codes and what it brought."""
    view = promotion_service.get_promotion(promotion_id)
    return _page(PromotionForm.of(view), promotion_id)


@blp.post(ONE)
def change(promotion_id: int) -> Response:
    """Change a promotion."""
    actor, form, currency = current_actor(), PromotionForm.from_request(), store_currency()

    def save(fields: dict[str, Any]) -> int:
        _refuse_everything(promotion_id, fields)
        changes = cast(PromotionInput, fields)
        return once(
            lambda: (
                promotion_service.edit_promotion(
                    actor, promotion_id, changes, currency
                ).promotion.id
            )
        )

    if form.carry_out(PROMOTION, save) is None:
        return _page(form, promotion_id)
    return _done("The promotion is saved. Orders keep what they were placed with.", promotion_id)


@blp.post(f"{ONE}/end")
def end(promotion_id: int) -> Response:
    """End a promotion now."""
    actor, currency = current_actor(), store_currency()
    once(
        lambda: promotion_service.end_promotion(actor, promotion_id, currency).promotion.id,
    )
    return _done("The promotion has ended.", promotion_id)


@blp.post(f"{ONE}/duplicate")
def duplicate(promotion_id: int) -> Response:
    """Add a promotion with the same rule, switched off."""
    actor, currency, form = current_actor(), store_currency(), Form()

    def copy(_nothing: dict[str, Any]) -> int:
        return once(
            lambda: (
                promotion_service.duplicate_promotion(actor, promotion_id, currency).promotion.id
            )
        )

    copy_id = form.carry_out(PromotionSchema(partial=True), copy)
    if copy_id is None:
        flash("It names articles that are deleted, so it cannot be duplicated.", "error")
        return see_other(url_for(".show_promotion", promotion_id=promotion_id))
    return _done("This is the copy. It is switched off and has no codes.", copy_id)


@blp.post(f"{ONE}/delete")
def delete(promotion_id: int) -> Response:
    """Withdraw a promotion with its codes."""
    actor = current_actor()
    once(lambda: promotion_service.delete_promotion(actor, promotion_id))
    flash("The promotion is deleted.")
    return see_other(url_for(".list_promotions"))


@blp.get(f"{ONE}/preview")
def show_preview(promotion_id: int) -> Response:
    """What it would have taken off the orders of the last days."""
    view = promotion_service.get_promotion(promotion_id)
    return admin_page(
        "promotion_preview.html",
        promotion=view.promotion,
        rule=promotion_words.rule(view.promotion, view.articles),
        preview=promotion_preview.preview(promotion_id),
        days=promotion_preview.DAYS,
        shown=ORDERS_SHOWN,
    )


def _page(form: Form, promotion_id: int | None = None) -> Response:
    known: dict[str, object] = {}
    if promotion_id is not None:
        view = promotion_service.get_promotion(promotion_id)
        figures = promotion_figures.figures_of([promotion_id])
        codes = promotion_codes.page_of_codes(promotion_id, 1, CODES_SHOWN)
        known = {
            "rule": promotion_words.rule(view.promotion, view.articles),
            "state": promotion_words.state(view.promotion, utc_now()),
            "figures": figures.get(promotion_id, PromotionFigures()),
            "codes": codes,
            "code_views": promotion_codes.views_of(codes.items),
        }
    return admin_form(
        "promotion.html", form, promotion_id=promotion_id, categories=tree(), kinds=KINDS, **known
    )


def _refuse_everything(promotion_id: int, fields: dict[str, Any]) -> None:
    """Refuse a form that names nothing, as the page did because all articles are deleted: saved like that, the
    promotion would be about everything.

    Raises:
        Invalid: on `products`.
    """
    view = promotion_service.get_promotion(promotion_id)
    names_any = fields["product_ids"] or fields["category_ids"]
    left = (
        promotion_articles.slugs_of(view.articles["product_ids"]) or view.articles["category_ids"]
    )
    if view.promotion.names_articles and not (names_any or left):
        raise Invalid({"products": [ARTICLES_DELETED]})


def _done(message: str, promotion_id: int) -> Response:
    flash(message)
    return see_other(url_for(".show_promotion", promotion_id=promotion_id))


KINDS = {kind: promotion_words.KINDS[kind] for kind in PROMOTION_KINDS}
