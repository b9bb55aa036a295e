"""The caller of an API request: its Bearer token, checked against its session on every request."""

from dataclasses import replace

import jwt
from flask import current_app, g, request

from app.domain.people.actor import ANONYMOUS, Actor
from app.errors import Unauthenticated
from app.web.callers import operators
from app.web.callers.sessions import find_actor
from app.web.callers.sign_in_cookie import sign_in_claims
from app.web.callers.tokens import Claims, has_numbers, verify_token
from app.web.limits import rate_limits
from app.web.plain_paths import is_for_programs

REFRESH_ENDPOINT = "auth.refresh"
METRICS_ENDPOINT = "metrics.report"
READY_ENDPOINT = "health.ready"


def current_actor() -> Actor:
    """The caller of this request, ANONYMOUS without a token."""
    actor: Actor = g.get("actor", ANONYMOUS)
    return actor


def current_claims() -> Claims:
    """The claims of the token that this request carries; raises Unauthenticated without one."""
    claims: Claims | None = g.get("claims")
    if claims is None:
        raise Unauthenticated()
    return claims


def read_token() -> None:
    """Check the token's signature and claims, without the database, and let the rate limits count
    its user. Pages take a token from the cookie as well, the API never does."""
    if not _sends_bearer():
        claims = None if is_for_programs(request.path) else sign_in_claims()
        if claims:
            g.rate_limit_key = f"user:{claims['sub']}"
        return
    try:
        g.claims = _verified_claims()
        g.rate_limit_key = f"user:{g.claims['sub']}"
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        g.claims = None


def identify_caller() -> None:
    """Find the caller's session. A token that is not valid is refused even where none is needed.

    Raises:
        Unauthenticated: `invalid_token`: forged, expired, of the wrong kind, or its session ended.
        RateLimited: too many tokens of ended sessions come from this network.
    """
    if not _sends_bearer():
        return
    if g.claims is None:
        raise _invalid_token()
    if request.endpoint == REFRESH_ENDPOINT:
        return  # `auth_service.refresh` checks the token and its session in one statement
    actor = find_actor(g.claims["sid"])
    if actor is None or str(actor.user_id) != g.claims["sub"]:
        rate_limits.count_for_network()
        raise _invalid_token()
    g.actor = replace(actor, address=request.remote_addr)


def _sends_bearer() -> bool:
    if request.method == "OPTIONS":  # asks about the route, whoever the caller is
        return False
    if request.endpoint == METRICS_ENDPOINT and current_app.config["METRICS_TOKEN"]:
        return False  # METRICS_TOKEN is not the token of an account
    if request.endpoint == READY_ENDPOINT and operators.sends_metrics_token():
        return False
    # The scheme's case does not matter (RFC 9110, section 11.1).
    words = request.headers.get("Authorization", "").split(maxsplit=1)
    return words[:1] != [] and words[0].lower() == "bearer"


def _verified_claims() -> Claims:
    refreshes = request.endpoint == REFRESH_ENDPOINT
    _scheme, token = request.headers["Authorization"].split()
    claims = verify_token(token, current_app.config["JWT_DECODE_AUDIENCE"], "type")
    # The shop makes no token without an expiry, a session and a type (RFC 8725).
    numbers = ["exp", "sid", "gen"] if refreshes else ["exp", "sid"]
    if claims["type"] != ("refresh" if refreshes else "access"):
        raise ValueError("A token of another kind.")
    if not has_numbers(claims, numbers):
        raise ValueError("A claim is missing.")
    return claims


def _invalid_token() -> Unauthenticated:
    return Unauthenticated("invalid_token", "The token is not valid, or no longer.")
