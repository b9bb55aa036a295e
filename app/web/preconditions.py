"""Preconditions over HTTP: If-Match and If-None-Match (RFC 9110, section 13).

If-Modified-Since and If-Unmodified-Since are ignored, because no answer has a Last-Modified.
"""

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, TypeVar

from flask import Response, request
from werkzeug.http import parse_etags

from app.domain.conditions import ANY, CODE, Precondition
from app.errors import PreconditionFailed, ShopError

IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"
CONDITIONS = frozenset({"HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"})
"""These headers, as WSGI names them."""
T = TypeVar("T")
NO_ETAG = "This has no ETag, so it is in none of the states that If-Match names."
EXISTS = "This exists, which If-None-Match excludes."


def drop_star_of_reads() -> None:
    """Take `If-Match: *` out of a GET: what is answered exists. werkzeug, which serves files, would
    answer 412."""
    if request.method in ("GET", "HEAD") and request.headers.get(IF_MATCH, "").strip() == ANY:
        del request.environ["HTTP_IF_MATCH"]


def current_precondition(
    fingerprints: Callable[[Any], Collection[str]] | None = None, creates: bool = False
) -> Precondition:
    """The precondition of this request. Without `fingerprints`, versions alone are compared.

    `If-None-Match: *` allows a request that `creates` something, and no other write.
    """
    expected = _tags(IF_MATCH)
    if expected is not None and ANY in expected:
        expected = None  # what does not exist is answered 404 in any case
    excluded = _tags(IF_NONE_MATCH, include_weak=True) or set()
    if creates:
        excluded.discard(ANY)
    if fingerprints is None:
        return Precondition(expected, excluded)
    return Precondition(expected, excluded, fingerprints)


def without_etag(work: Callable[[], T], creates: bool = False) -> Callable[[], T]:
    """`work` on something that has no ETag, refused after it where the request has a precondition
    that cannot hold: a tag in If-Match, or `If-None-Match: *` unless the work `creates` something.

    Other refusals take precedence, also those that the work returns because they must be committed.
    """

    @wraps(work)
    def checked() -> T:
        result = work()
        if not isinstance(result, ShopError):
            _refuse_tags(creates)
        return result

    return checked


def apply_to_read(response: Response, etag: str) -> Response:
    """Answer a GET with 304 where the client has this state (ETag, unquoted) already.

    Raises:
        PreconditionFailed: If-Match names other states.
    """
    if CONDITIONS.isdisjoint(request.environ) or request.method not in ("GET", "HEAD"):
        return response
    expected = _tags(IF_MATCH)
    if expected is not None and expected.isdisjoint({etag, etag.partition("-")[0]}):
        raise PreconditionFailed(CODE, "This is not what If-Match names.")
    if (_tags(IF_NONE_MATCH, include_weak=True) or set()) & {ANY, etag}:
        response.status_code = 304
    return response


def _refuse_tags(creates: bool) -> None:
    precondition = current_precondition(creates=creates)
    if precondition.expected is not None:
        raise PreconditionFailed(CODE, NO_ETAG)
    if ANY in precondition.excluded:
        raise PreconditionFailed(CODE, EXISTS)


def _tags(name: str, include_weak: bool = False) -> set[str] | None:
    """The tags in a header, None without it. If-Match compares strongly: a weak tag names nothing.

    A tag without quotes is taken for one with them. Anything else that is malformed names nothing.
    """
    value = request.headers.get(name)
    if value is None:
        return None
    if value.strip() == ANY:
        return {ANY}
    return {tag for tag in parse_etags(value).as_set(include_weak) if tag and tag != ANY}
