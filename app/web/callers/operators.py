"""Callers who operate the shop: machines of its own network, and holders of METRICS_TOKEN."""

import hmac

from flask import current_app, request

from app.domain.people.networks import is_private

FORWARDED = (
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via"
)  # fmt: skip
"""What a proxy adds to what it passes on (RFC 7239; RFC 9110, section 7.6.3)."""


def sends_metrics_token() -> bool:
    """Whether the request carries METRICS_TOKEN, where one is set."""
    token: str = current_app.config["METRICS_TOKEN"]
    sent = request.headers.get("Authorization", "")
    return bool(token) and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode())


def is_near() -> bool:
    """Whether a machine of a private network asks, with no proxy in between."""
    return is_private(request.remote_addr) and not any(map(request.headers.get, FORWARDED))
