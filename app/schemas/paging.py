"""What a client may ask of a list, and the documented envelope that it comes in."""

from typing import Any

from marshmallow import ValidationError, validates_schema
from marshmallow import fields as ma
from marshmallow.validate import Range

from app.schemas.base import QuerySchema, ShopSchema

DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 100


class PageArgs(QuerySchema):
    """`?page=1&per_page=20`."""

    page = ma.Integer(load_default=1, validate=Range(1, 2**31))
    per_page = ma.Integer(load_default=DEFAULT_PER_PAGE, validate=Range(1, MAX_PER_PAGE))


class CursorArgs(PageArgs):
    """`?page=` or `?cursor=`, never both."""

    page = ma.Integer(load_default=None, validate=Range(1, 2**31))
    cursor = ma.String(load_default=None)

    @validates_schema
    def _one_way(self, data: dict[str, Any], **_kwargs: Any) -> None:
        if data["cursor"] is not None and data["page"] is not None:
            raise ValidationError({"cursor": ["Give page or cursor, not both."]})


def list_schema(item: type[ShopSchema], cursors: bool = False) -> type[ShopSchema]:
    """The documented envelope of a list of `item`."""
    name = item.__name__.removesuffix("Schema") + "ListSchema"
    members: dict[str, Any] = {
        "items": ma.List(ma.Nested(item)),
        "per_page": ma.Integer(),
        "page": ma.Integer(metadata={"description": "Absent when paging by cursor."}),
        "pages": ma.Integer(),
        "total": ma.Integer(),
        "total_is_estimate": ma.Boolean(
            metadata={"description": "Present where total is not exact."}
        ),
    }
    if cursors:
        members["next_cursor"] = ma.String(allow_none=True)
    return type(name, (ShopSchema,), members)
