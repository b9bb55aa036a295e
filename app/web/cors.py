"""Scripts of other origins (the Fetch standard's CORS): only of those that are configured."""

from flask import Response, current_app, request

from app.web.callers.buyers import CART_TOKEN, DEVICE_TOKEN, IDEMPOTENCY_KEY, ORDER_TOKEN

MAY_SEND = (
    "Authorization", "Content-Type", "If-Match", "If-None-Match", "X-Request-ID",
    IDEMPOTENCY_KEY, CART_TOKEN, ORDER_TOKEN, DEVICE_TOKEN,
)  # fmt: skip
MAY_READ = (
    "ETag", "Link", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID",
    "Idempotency-Replayed", CART_TOKEN, DEVICE_TOKEN,
)  # fmt: skip
PREFLIGHT_SECONDS = 600


def share(response: Response) -> Response:
    """Let scripts of a configured origin call the API and read this answer, a refusal too.

    Cookies are never allowed along, so a page elsewhere cannot act as the shopper whose browser
    shows it: what a script may do, it does with tokens that it was given.
    """
    origins = current_app.config["CORS_ORIGINS"]
    if not origins or not request.path.startswith("/api/"):
        return response
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = ", ".join(MAY_READ)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            _permit(response)
    return response


def _permit(response: Response) -> None:
    response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
    response.headers["Access-Control-Allow-Headers"] = ", ".join(MAY_SEND)
    response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
