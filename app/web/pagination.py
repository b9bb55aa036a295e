"""Lists over HTTP: the body of a page or a slice, and its Link header (RFC 8288)."""

from typing import TypeVar
from urllib.parse import urlencode

from flask import request

from app.db.paging import Page, Slice

T = TypeVar("T")
V = TypeVar("V")


def page_answer(page: Page[T], items: list[V]) -> tuple[dict[str, object], dict[str, str]]:
    """The body of a page, with `items` as the schema shows them, and its Link header."""
    body: dict[str, object] = {
        "items": items,
        "page": page.page,
        "per_page": page.per_page,
        "pages": page.pages,
        "total": page.total,
    }
    if page.total_is_estimate:
        body["total_is_estimate"] = True
    targets = {"first": 1, "last": max(page.pages, 1)}
    if page.page > 1:
        targets["prev"] = min(page.page - 1, max(page.pages, 1))
    if page.page < page.pages:
        targets["next"] = page.page + 1
    return body, {"Link": _links({rel: {"page": str(n)} for rel, n in targets.items()})}


def slice_answer(part: Slice[T], items: list[V]) -> tuple[dict[str, object], dict[str, str]]:
    """The body of a slice, with `items` as the schema shows them, and its Link header."""
    body: dict[str, object] = {
        "items": items,
        "per_page": part.per_page,
        "next_cursor": part.next_cursor,
    }
    targets = {"first": {"cursor": ""}}
    if part.next_cursor:
        targets["next"] = {"cursor": part.next_cursor}
    return body, {"Link": _links(targets)}


def _links(targets: dict[str, dict[str, str]]) -> str:
    query = request.args.to_dict(flat=True)
    return ", ".join(
        f'<{request.base_url}?{urlencode({**query, **change})}>; rel="{rel}"'
        for rel, change in targets.items()
    )
