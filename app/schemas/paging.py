"""The arguments for pages of lists, and the documented shape of a list."""

from typing import Any

from marshmallow import ValidationError, validates_schema
from marshmallow import fields as ma

from app.db.paging import MAX_DEPTH
from app.schemas.base import Number, QuerySchema, ShopSchema

DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 100
PER_PAGE = {"description": f"Rows of a page; {DEFAULT_PER_PAGE} if it is left out."}
PAGE = {
    "description": f"From 1. `(page - 1) * per_page` must be below {MAX_DEPTH:,} (422 `use_cursor`).",
    "maximum": MAX_DEPTH,
}
"""The documented maximum is that of `per_page=1`."""
CURSOR = {
    "description": "Empty for the first rows, then the `next_cursor` of the last answer. Not with `page`.",
    "maxLength": 4000,
}


class PageArgs(QuerySchema):
    """`?page=1&per_page=20`, as pages have it."""

    page = Number(1, 2**63 - 1, load_default=1, metadata=PAGE)
    per_page = Number(1, MAX_PER_PAGE, load_default=DEFAULT_PER_PAGE, metadata=PER_PAGE)


class CursorArgs(PageArgs):
    """`?page=` or `?cursor=`, never both, as every list of the API has them."""

    page = Number(1, 2**63 - 1, load_default=None, metadata=PAGE)
    cursor = ma.String(load_default=None, metadata=CURSOR)

    @validates_schema
    def _not_both(self, data: dict[str, Any], **_kwargs: Any) -> None:
        if data["cursor"] is not None and data["page"] is not None:
            raise ValidationError({"cursor": ["Give page or cursor, not both."]})


def list_schema(item: type[ShopSchema]) -> type[ShopSchema]:
    """The documented shape of a list of `item`."""
    name = item.__name__.removesuffix("Schema") + "ListSchema"
    by_page = {"x-optional": True, "description": "Absent when paging by cursor."}
    by_cursor = {"x-optional": True, "description": "Absent when paging by number."}
    members: dict[str, ma.Field[Any]] = {
        "items": ma.List(ma.Nested(item)),
        "per_page": ma.Integer(),
        "page": ma.Integer(metadata=by_page),
        "pages": ma.Integer(metadata=by_page),
        "total": ma.Integer(metadata=by_page),
        "total_is_estimate": ma.Boolean(
            metadata={"x-optional": True, "description": "Present if total is not exact."}
        ),
        "next_cursor": ma.String(allow_none=True, metadata=by_cursor),
    }
    return type(name, (ShopSchema,), members)
