"""What every answer tells browsers and caches: what they must not do with it."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Response, request

from app.web.callers.buyers import GUEST_TOKENS

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
"""As OWASP's HTTP Headers Cheat Sheet advises; no answer is without them."""
TRANSPORT_SECURITY = "max-age=31536000"
"""One year (RFC 6797), over TLS only; the shop does not speak for its domain's other hosts."""
OVER_TCP = tuple(HEADERS.items())
OVER_TLS = (*OVER_TCP, ("Strict-Transport-Security", TRANSPORT_SECURITY))
CREDENTIALS = ("Authorization", "Cookie", *GUEST_TOKENS.values())
_SENT = frozenset(f"HTTP_{name.upper().replace('-', '_')}" for name in CREDENTIALS)
CALLER = "Authorization, Cookie"
"""The Vary header of answers that depend on it."""


class FixedHeaders:
    """Adds the headers to every answer that does not set them itself.

    Around the framework, where they are a list of pairs: there it costs a tenth of what it does in
    the framework's own, which compares each name with all others.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer as the application does, with the headers (PEP 3333)."""
        fixed = OVER_TLS if environ["wsgi.url_scheme"] == "https" else OVER_TCP

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            present = {name.lower() for name, _value in headers}
            missing = [header for header in fixed if header[0].lower() not in present]
            return start_response(status, headers + missing, *error)

        return self._application(environ, start)


def secure(response: Response) -> Response:
    """See that what depends on the caller is kept by no cache."""
    kind = response.content_type or ""
    if response.status_code == 204:
        response.headers.pop("Content-Type", None)  # there is nothing that has a type
    if "xml" in kind and "charset" not in kind:
        response.content_type = f"{kind}; charset=utf-8"  # the framework adds it to text/ only
    if "Set-Cookie" in response.headers:
        response.headers["Cache-Control"] = "no-store"
    elif not _is_the_same_for_everybody(response):
        _keep_private(response)
    return response


def _is_the_same_for_everybody(response: Response) -> bool:
    return request.endpoint == "static" or "public" in response.headers.get("Cache-Control", "")


def _keep_private(response: Response) -> None:
    """RFC 9111, section 5.2.2.5: an answer to somebody known is not stored; one to anybody may be,
    but is not taken for an answer to somebody known."""
    headers = response.headers
    if not _SENT.isdisjoint(request.environ):
        headers["Cache-Control"] = "no-store"
    headers.setdefault("Cache-Control", "no-cache")
    if headers.get("Vary") != CALLER:
        response.vary.update(("Authorization", "Cookie"))
