"""Cross-origin requests (CORS, the Fetch standard): allowed for the origins of CORS_ORIGINS."""

from flask import Response, current_app, request

from app.web.callers.buyers import CART_TOKEN, DEVICE_TOKEN, IDEMPOTENCY_KEY, ORDER_TOKEN

REQUEST_HEADERS = (
    "Authorization", "Content-Type", "If-Match", "If-None-Match", "X-Request-ID",
    IDEMPOTENCY_KEY, CART_TOKEN, ORDER_TOKEN, DEVICE_TOKEN,
)  # fmt: skip
RESPONSE_HEADERS = (
    "ETag", "Link", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID",
    "Idempotency-Replayed", "RateLimit", "RateLimit-Policy", CART_TOKEN, DEVICE_TOKEN,
)  # fmt: skip
PREFLIGHT_SECONDS = 600


def allow_origin(response: Response) -> Response:
    """Let scripts of a configured origin call the API and read this answer, refusals included.

    Credentials are never allowed (Access-Control-Allow-Credentials), so a page of another origin
    cannot act by the shopper's cookie. Its scripts need a token of their own.
    """
    origins = current_app.config["CORS_ORIGINS"]
    if not origins or not request.path.startswith("/api/"):
        return response
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = ", ".join(RESPONSE_HEADERS)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            _answer_preflight(response)
    return response


def _answer_preflight(response: Response) -> None:
    response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
    response.headers["Access-Control-Allow-Headers"] = ", ".join(REQUEST_HEADERS)
    response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
