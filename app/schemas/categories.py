"""Categories as JSON."""

from marshmallow import fields as ma

from app.schemas.base import Number, RowId, ShopSchema, Slug, Text, Whole
from app.schemas.paging import CursorArgs, list_schema
from app.services.catalogue.category_service import CategoryWithCount

MAX_POSITION = 10**9


class CategorySchema(ShopSchema):
    """A node of the category tree."""

    id = ma.Integer(dump_only=True)
    name = Text(200, 1, required=True)
    slug = Slug(metadata={"description": "Derived from the name if it is left out."})
    description = Text(20_000, lines=True)
    parent_id = RowId(allow_none=True)
    position = Whole(
        -MAX_POSITION,
        MAX_POSITION,
        metadata={"description": "Siblings are sorted by position, then by id."},
    )
    product_count = ma.Integer(
        dump_only=True,
        metadata={"description": "Active products in this category and its subcategories."},
    )


class CategoryListArgs(CursorArgs):
    """What a client may ask of the list of categories."""

    parent_id = Number(
        0,
        2**63 - 1,
        load_default=None,
        metadata={
            "description": "Only direct children of this category; 0 for the roots of the tree."
        },
    )


CategoryListSchema = list_schema(CategorySchema)


def show_category(entry: CategoryWithCount) -> dict[str, object]:
    """A category as `CategorySchema` describes it."""
    category = entry.category
    return {
        "id": category.id,
        "name": category.name,
        "slug": category.slug,
        "description": category.description,
        "parent_id": category.parent_id,
        "position": category.position,
        "product_count": entry.product_count,
    }
