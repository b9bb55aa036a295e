"""Callers who operate the shop: machines of its own network, and holders of METRICS_TOKEN."""

import hmac

from flask import current_app, request

from app.domain.people.networks import is_private

FORWARDED = (
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via"
)  # fmt: skip
"""The headers that a proxy adds (RFC 7239; RFC 9110, section 7.6.3)."""


def sends_metrics_token() -> bool:
    """Whether METRICS_TOKEN is set and the request carries it."""
    token: str = current_app.config["METRICS_TOKEN"]
    authorization = request.headers.get("Authorization", "")
    return bool(token) and hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())


def is_from_private_network() -> bool:
    """Whether a machine of a private network calls directly, not through a proxy."""
    return is_private(request.remote_addr) and not any(map(request.headers.get, FORWARDED))
