"""Answers that are made once and sent many times: bytes with an ETag (RFC 9110, section 8.8.3)."""

from functools import lru_cache
from typing import Any

import orjson
from flask import Response, current_app, request

from app.db.paging import Page, Slice
from app.errors import PreconditionFailed
from app.services.cache.catalogue_cache import Answer, etag_of
from app.web.pagination import page_answer, slice_answer
from app.web.security_headers import CALLER

JSON = "application/json"
CONDITIONS = frozenset(
    {"HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE",
     "HTTP_RANGE"}
)  # fmt: skip
"""What makes a request conditional (RFC 9110, section 13), by the names of WSGI."""
LONGEST_REMEMBERED = 300
"""Of addresses whose Link header is remembered: it repeats them up to four times, and anybody could
fill the memory with long ones."""


def answer(view: dict[str, Any], tag_prefix: str = "", facts: tuple[Any, ...] = ()) -> Answer:
    """A JSON answer, ready to be sent or kept."""
    body = orjson.dumps(view)
    return Answer(body, tag_prefix + etag_of(body), facts)


def list_answer(found: Page[Any] | Slice[Any], items: list[Any]) -> Answer:
    """The envelope of a list; its figures are kept beside it, for the Link header."""
    if isinstance(found, Slice):
        facts: tuple[Any, ...] = (found.per_page, found.next_cursor)
        return answer(slice_answer(found, items)[0], facts=facts)
    facts = (found.page, found.per_page, found.total, found.total_is_estimate)
    return answer(page_answer(found, items)[0], facts=facts)


def link_header(made: Answer) -> dict[str, str]:
    """The Link header of a list, for the address that this request came to."""
    place, query = (request.scheme, request.host, request.path), request.query_string
    if len(query) + sum(map(len, place)) > LONGEST_REMEMBERED:
        return _make_link_header(made.facts)
    return _link_header(place, query, made.facts)


@lru_cache(maxsize=2048)
def _link_header(_place: tuple[str, ...], _query: bytes, facts: tuple[Any, ...]) -> dict[str, str]:
    # Made of the request, of which the arguments are all that it depends on.
    return _make_link_header(facts)


def _make_link_header(facts: tuple[Any, ...]) -> dict[str, str]:
    if len(facts) == 2:
        return slice_answer(Slice((), *facts), [])[1]
    return page_answer(Page((), *facts), [])[1]


def send(made: Answer, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The response; 304 without a body where a GET's If-None-Match names what the caller has.

    Caches may keep it, but ask each time: staff see more at the same address.
    """
    facts = {
        "ETag": f'"{made.etag}"',
        "Cache-Control": "no-cache",
        "Vary": CALLER,
        **(headers or {}),
    }
    response = current_app.response_class(made.body, status, facts, content_type=JSON)
    if status == 200 and not CONDITIONS.isdisjoint(request.environ):
        response.make_conditional(request)
    if response.status_code == 412:
        raise PreconditionFailed("precondition_failed", "This is not what If-Match names.")
    return response


def expected_versions() -> frozenset[str] | None:
    """The versions at which the caller would change a thing; None for any (RFC 9110, 13.1.1).

    `If-Match: "3"` names a version, and so does the ETag of a GET, which begins with it. The
    comparison is strong: a weak tag matches nothing.
    """
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    return frozenset(tag.partition("-")[0] for tag in request.if_match.as_set() if tag)
