"""Security headers of every answer, and what caches must not store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Response, request

from app.web.callers.buyers import GUEST_TOKENS

if TYPE_CHECKING:  # these types exist for type checkers only
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",  # the icons inside stylesheets
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every answer, after OWASP's HTTP Headers Cheat Sheet; of files below PUBLIC_FILES with one change."""
PUBLIC_FILES = ("/media/", "/static/")
"""Pictures and the pages' own files, which pages of other sites may show."""
FILE_HEADERS = {**HEADERS, "Cross-Origin-Resource-Policy": "cross-origin"}
TRANSPORT_SECURITY = "max-age=31536000"
"""One year (RFC 6797), over TLS only, without the domain's subdomains: they are not the shop's."""
_OVER_TLS = {"Strict-Transport-Security": TRANSPORT_SECURITY}
_FIXED = {
    (is_file, is_tls): tuple({**headers, **(_OVER_TLS if is_tls else {})}.items())
    for is_file, headers in ((False, HEADERS), (True, FILE_HEADERS))
    for is_tls in (False, True)
}
CREDENTIALS = ("Authorization", "Cookie", *GUEST_TOKENS.values())
_CREDENTIALS_IN_ENVIRON = frozenset(
    f"HTTP_{name.upper().replace('-', '_')}" for name in CREDENTIALS
)
CALLER = "Authorization, Cookie"
"""The Vary header of answers that depend on the caller."""


class FixedHeaders:
    """WSGI middleware that adds the headers to every answer that does not set them itself.

    Here headers are a list of pairs: adding them takes 6 µs. In the framework's own header class,
    which compares each name with all others, it takes 60.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does, with the headers (PEP 3333)."""
        is_file = environ["PATH_INFO"].startswith(PUBLIC_FILES)
        fixed = _FIXED[is_file, environ["wsgi.url_scheme"] == "https"]

        def start(
            status: str, headers: list[tuple[str, str]], *error: OptExcInfo | None
        ) -> Callable[[bytes], object]:
            present = {name.lower() for name, _value in headers}
            missing = [header for header in fixed if header[0].lower() not in present]
            return start_response(status, headers + missing, *error)

        return self._application(environ, start)


def forbid_shared_caching(response: Response) -> Response:
    """Let no cache store an answer that depends on the caller."""
    content_type = response.content_type or ""
    if response.status_code == 204:
        response.headers.pop("Content-Type", None)  # there is no body
    if "xml" in content_type and "charset" not in content_type:
        response.content_type = f"{content_type}; charset=utf-8"  # the framework does so for text/
    if "Set-Cookie" in response.headers:
        response.headers["Cache-Control"] = "no-store"
    elif not _is_public(response):
        _forbid_storing_private(response)
    return response


def _is_public(response: Response) -> bool:
    return request.endpoint == "static" or "public" in response.headers.get("Cache-Control", "")


def _forbid_storing_private(response: Response) -> None:
    """No cache stores an answer to a caller with credentials (RFC 9111, section 5.2.2.5). It may
    store one to an anonymous caller, but not serve it to a caller with credentials."""
    headers = response.headers
    if not _CREDENTIALS_IN_ENVIRON.isdisjoint(request.environ):
        headers["Cache-Control"] = "no-store"
    headers.setdefault("Cache-Control", "no-cache")
    if headers.get("Vary") != CALLER:
        response.vary.update(("Authorization", "Cookie"))
