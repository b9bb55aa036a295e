"""Answers that are built once and sent many times: bytes with an ETag (RFC 9110, section 8.8.3)."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

import orjson
from flask import Response, current_app, jsonify, request

from app.db.paging import Page, Slice
from app.services.cache.catalogue_cache import Answer, ListPage, etag_of
from app.web.pagination import list_body
from app.web.preconditions import apply_to_read
from app.web.security_headers import CALLER

JSON = "application/json"
LONGEST_REMEMBERED = 300
"""Of addresses whose Link header is cached: it repeats them up to four times, and anybody could fill
the memory with long ones."""
T = TypeVar("T")
V = TypeVar("V")


def answer(
    view: Mapping[str, object], tag_prefix: str = "", page: ListPage | None = None
) -> Answer:
    """A JSON answer, ready to be sent or cached."""
    body = orjson.dumps(view)
    return Answer(body, tag_prefix + etag_of(body), page)


def list_answer(page: Page[T] | Slice[T], items: list[V]) -> Answer:
    """The answer of a list, with `items` as the schema shows them."""
    return answer(list_body(page, items)[0], page=replace(page, items=()))


def json_response(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response of these values, without an ETag of its own."""
    response = jsonify(body)
    response.status_code = status
    response.headers.update(headers or {})
    return response


def accepted() -> Response:
    """The response to what the worker carries out later (RFC 9110, 202); it has no body."""
    response = current_app.response_class(status=202)
    del response.headers["Content-Type"]
    return response


def link_header(answer: Answer) -> dict[str, str]:
    """The Link header of a list, for the address of this request."""
    place, query = (request.host_url, request.root_path, request.path), request.query_string
    if len(query) + sum(map(len, place)) > LONGEST_REMEMBERED:
        return _build_link_header(answer.page)
    return _link_header(place, query, answer.page)


@lru_cache(maxsize=2048)
def _link_header(_place: tuple[str, ...], _query: bytes, page: ListPage | None) -> dict[str, str]:
    # The header depends on these arguments of the request only.
    return _build_link_header(page)


def _build_link_header(page: ListPage | None) -> dict[str, str]:
    if page is None:
        raise ValueError("This is not the answer of a list.")
    return list_body(page, [])[1]


def send(answer: Answer, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The response, with the conditions of a GET applied: 304 or PreconditionFailed.

    Caches may store it, but revalidate it each time: staff see more at the same address.
    """
    fields = {"ETag": f'"{answer.etag}"', "Cache-Control": "no-cache", "Vary": CALLER}
    fields |= headers or {}
    response = current_app.response_class(answer.body, status, fields, content_type=JSON)
    return apply_to_read(response, answer.etag)
