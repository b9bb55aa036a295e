"""Who calls: the Bearer token, checked against the session that it belongs to on every request."""

from dataclasses import replace
from typing import Any

import jwt
from flask import current_app, g, request

from app.domain.people.actor import ANONYMOUS, Actor
from app.errors import Unauthenticated
from app.services.accounts import session_service
from app.web.callers import operators
from app.web.callers.sign_in_cookie import sign_in_claims
from app.web.callers.tokens import verified
from app.web.limits import rate_limits
from app.web.plain_paths import is_for_programs

REFRESH_ENDPOINT = "auth.refresh"
METRICS_ENDPOINT = "metrics.report"
READY_ENDPOINT = "health.ready"


def current_actor() -> Actor:
    """The caller of this request; ANONYMOUS without a token."""
    actor: Actor = g.get("actor", ANONYMOUS)
    return actor


def current_claims() -> dict[str, Any]:
    """The claims of the token that this request carries.

    Raises:
        Unauthenticated: it carries none.
    """
    claims: dict[str, Any] | None = g.get("claims")
    if claims is None:
        raise Unauthenticated()
    return claims


def read_token() -> None:
    """Check the token's signature and claims, without the database, and name its user for the
    rate limits. On pages a cookie brings it, to the API never."""
    if not _sends_bearer():
        signed_in = None if is_for_programs(request.path) else sign_in_claims()
        if signed_in:
            g.rate_limit_key = f"user:{signed_in['sub']}"
        return
    try:
        g.claims = _verified_claims()
        g.rate_limit_key = f"user:{g.claims['sub']}"
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        g.claims = None


def identify_caller() -> None:
    """Find the caller's session. A token that is not believed is 401, even where none is needed.

    Raises:
        Unauthenticated: `invalid_token`: forged, expired, of the wrong kind, or its session ended.
        RateLimited: too many tokens of ended sessions come from this network.
    """
    if not _sends_bearer():
        return
    if g.claims is None:
        raise _invalid_token()
    if request.endpoint == REFRESH_ENDPOINT:
        return  # spends its own token, in one guarded statement
    actor = session_service.find_actor(g.claims["sid"])
    if actor is None or str(actor.user_id) != g.claims["sub"]:
        rate_limits.count_as_network()
        raise _invalid_token()
    g.actor = replace(actor, address=request.remote_addr)


def _sends_bearer() -> bool:
    if request.method == "OPTIONS":  # asks about the route, whoever asks
        return False
    if request.endpoint == METRICS_ENDPOINT and current_app.config["METRICS_TOKEN"]:
        return False  # what is sent there is no token of an account
    if request.endpoint == READY_ENDPOINT and operators.sends_metrics_token():
        return False
    # A scheme is written in any case (RFC 9110, section 11.1).
    words = request.headers.get("Authorization", "").split(maxsplit=1)
    return words[:1] != [] and words[0].lower() == "bearer"


def _verified_claims() -> dict[str, Any]:
    refreshes = request.endpoint == REFRESH_ENDPOINT
    _scheme, token = request.headers["Authorization"].split()
    claims = verified(token, current_app.config["JWT_DECODE_AUDIENCE"], "type")
    # A token that never expires, belongs to no session or is of no kind, is none of ours (RFC 8725).
    numbers = ["exp", "sid", "gen"] if refreshes else ["exp", "sid"]
    if claims["type"] != ("refresh" if refreshes else "access"):
        raise ValueError("A token of another kind.")
    if not all(type(claims.get(name)) is int and 0 <= claims[name] < 2**63 for name in numbers):
        raise ValueError("A claim is missing.")
    return claims


def _invalid_token() -> Unauthenticated:
    return Unauthenticated("invalid_token", "The token is not valid, or no longer.")
