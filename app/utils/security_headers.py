"""What every answer tells browsers and caches: what they must not do with it."""

from flask import Response, request

from app.utils.buyers import GUEST_TOKENS

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
CREDENTIALS = ("Authorization", "Cookie", *GUEST_TOKENS.values())


def secure(response: Response) -> Response:
    """Add the headers, and see that what depends on the caller is kept by no cache."""
    response.headers.extend({k: v for k, v in HEADERS.items() if k not in response.headers})
    if (response.mimetype or "").endswith(
        "xml"
    ):  # as for text/, though the framework leaves it out
        response.mimetype_params.setdefault("charset", "utf-8")
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = TRANSPORT_SECURITY
    if "Set-Cookie" in response.headers:
        response.headers["Cache-Control"] = "no-store"
    elif not _is_the_same_for_everybody(response):
        _keep_private(response)
    return response


def _is_the_same_for_everybody(response: Response) -> bool:
    return request.endpoint == "static" or bool(response.cache_control.public)


def _keep_private(response: Response) -> None:
    """RFC 9111, section 5.2.2.5: an answer to somebody known is not stored; one to anybody may be,
    but is not taken for an answer to somebody known."""
    if any(name in request.headers for name in CREDENTIALS):
        response.headers["Cache-Control"] = "no-store"
    response.headers.setdefault("Cache-Control", "no-cache")
    response.vary.add("Authorization")
    response.vary.add("Cookie")
