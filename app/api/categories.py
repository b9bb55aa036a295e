"""Routes of the category tree: everybody reads, staff write."""

from typing import Any

from flask import Response, url_for

from app.db.unit_of_work import in_transaction
from app.schemas.categories import (
    CategoryListArgs,
    CategoryListSchema,
    CategorySchema,
    show_category,
)
from app.services.cache import catalogue_cache
from app.services.cache.catalogue_cache import Answer
from app.services.catalogue import category_service
from app.services.catalogue.category_service import CategoryInput
from app.utils.decorators import admin_required
from app.web.answers import link_header, list_answer, send
from app.web.blueprints import ShopBlueprint, takes_if_match
from app.web.callers.identity import current_actor
from app.web.catalogue_answers import category_answer
from app.web.keyed_requests import once, takes_key
from app.web.pagination import read_part
from app.web.preconditions import current_precondition, without_etag

blp = ShopBlueprint("categories", __name__, url_prefix="/api/categories")
LIST_ARGS = CategoryListArgs()
NEW = CategorySchema()
CHANGES = CategorySchema(partial=True)


@blp.get("")
@blp.arguments(LIST_ARGS, location="query")
@blp.response(200, CategoryListSchema)
def list_categories(args: dict[str, Any]) -> Response:
    """All categories in tree order, depth first, or the direct children of one category."""
    categories = catalogue_cache.cached_list(
        "categories", tuple(sorted(args.items())), lambda: _list(**args)
    )
    return send(categories, headers=link_header(categories))


@blp.post("")
@admin_required
@blp.arguments(NEW)
@blp.response(201, CategorySchema)
@takes_key
def create_category(fields: CategoryInput) -> Response:
    """Add a category."""
    actor = current_actor()

    def create() -> Response:
        entry = category_service.create_category(actor, fields)
        location = url_for("categories.get_category", category=entry.category.id)
        return send(category_answer(entry), 201, {"Location": location})

    return once(without_etag(create, creates=True))


@blp.get("/<category>")
@blp.response(200, CategorySchema)
def get_category(category: str) -> Response:
    """One category, by id or slug. Its ETag begins with a version, which edits change."""
    return send(category_answer(category_service.get_category(category)))


@blp.route("/<category>", methods=["PATCH", "PUT"])
@takes_if_match
@admin_required
@blp.arguments(CHANGES)
@blp.response(200, CategorySchema)
def edit_category(changes: CategoryInput, category: str) -> Response:
    """Change the fields that are sent. A category cannot be moved below itself."""
    actor, condition = current_actor(), current_precondition()
    entry = in_transaction(
        lambda: category_service.edit_category(actor, category, changes, condition)
    )
    return send(category_answer(entry))


@blp.delete("/<category>")
@takes_if_match
@admin_required
@blp.response(204)
def delete_category(category: str) -> None:
    """Delete a category that has neither subcategories nor products."""
    condition = current_precondition()
    in_transaction(lambda: category_service.delete_category(current_actor(), category, condition))


def _list(parent_id: int | None, **args: Any) -> Answer:
    rows = read_part(
        {"parent_id": parent_id or None, "only_children": parent_id is not None, **args},
        category_service.list_categories,
        category_service.slice_of_categories,
    )
    return list_answer(rows, [show_category(entry) for entry in rows.items])
