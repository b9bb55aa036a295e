"""Lists over HTTP: the body of a page or a slice, and its Link header (RFC 8288)."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import request

from app.db.paging import Page, Slice

T = TypeVar("T")
V = TypeVar("V")


def read_part(
    args: dict[str, Any],
    page_of: Callable[..., Page[T]],
    slice_of: Callable[..., Slice[T]],
) -> Page[T] | Slice[T]:
    """The part of a list that `CursorArgs` name: a slice if there is a cursor, else a page."""
    filters = dict(args)
    cursor, number = filters.pop("cursor"), filters.pop("page")
    if cursor is not None:
        return slice_of(cursor=cursor, **filters)
    return page_of(page=number or 1, **filters)


def list_body(part: Page[T] | Slice[T], items: list[V]) -> tuple[dict[str, object], dict[str, str]]:
    """The body of a list, with `items` as the schema shows them, and its Link header."""
    if isinstance(part, Slice):
        body = {"items": items, "per_page": part.per_page, "next_cursor": part.next_cursor}
        cursors = {"first": ""} | ({"next": part.next_cursor} if part.next_cursor else {})
        return body, _links("cursor", cursors)
    body = {"items": items, "page": part.page, "per_page": part.per_page}
    body |= {"pages": part.pages, "total": part.total}
    if part.total_is_estimate:
        body["total_is_estimate"] = True
    last = max(part.pages, 1)
    targets = {"first": 1, "last": last}
    if part.page > 1:
        targets["prev"] = min(part.page - 1, last)
    if part.page < part.pages:
        targets["next"] = part.page + 1
    return body, _links("page", targets)


def _links(argument: str, targets: Mapping[str, int | str]) -> dict[str, str]:
    query = request.args.to_dict(flat=True)
    return {
        "Link": ", ".join(
            f'<{request.base_url}?{urlencode({**query, argument: target})}>; rel="{rel}"'
            for rel, target in targets.items()
        )
    }
