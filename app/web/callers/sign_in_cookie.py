"""Sign-in on the pages: a JWT in a cookie that scripts cannot read, good for the pages alone.

The token is made for another audience than the API's, so that neither door takes the other's: a
cookie, which browsers send along unasked, never authenticates a call of the API.
"""

from dataclasses import replace
from typing import Any

import jwt
from flask import Response, current_app, g, request
from flask_jwt_extended import create_access_token, set_access_cookies, unset_access_cookies

from app.domain.people.actor import ANONYMOUS
from app.models import Session
from app.services.accounts import session_service
from app.web.callers.tokens import session_lifetime, verified
from app.web.limits import rate_limits

AUDIENCE = "shopswift-pages"


def give_sign_in(response: Response, session: Session) -> None:
    """Send the session's cookie along. It lives as long as the session's row.

    Pages do not rotate tokens as API clients do: two tabs would end their own family.
    """
    lifetime = session_lifetime()
    token = create_access_token(
        str(session.user_id),
        expires_delta=lifetime,
        additional_claims={"sid": session.id, "aud": AUDIENCE},
    )
    set_access_cookies(response, token, max_age=int(lifetime.total_seconds()))


def take_sign_in(response: Response) -> None:
    """Have the browser forget the cookie."""
    unset_access_cookies(response)


def identify_visitor() -> None:
    """Find whose session the cookie names. One that is not believed makes an anonymous visitor."""
    if "actor" in g:  # by a Bearer token, which was sent on purpose
        return
    claims = sign_in_claims()
    actor = session_service.find_actor(claims["sid"]) if claims else None
    if actor is not None and str(actor.user_id) != (claims or {})["sub"]:
        actor = None
    if claims and actor is None:
        rate_limits.count_as_network()
    g.actor = replace(actor or ANONYMOUS, door="pages", address=request.remote_addr)
    g.stale_sign_in = actor is None and bool(_cookie())


def drop_stale_sign_in(response: Response) -> Response:
    """A cookie that is good for nothing is not carried around any longer."""
    # Not where the answer brings a new one.
    if g.get("stale_sign_in") and not _is_set_by(response):
        take_sign_in(response)
    return response


def sign_in_claims() -> dict[str, Any] | None:
    """What the cookie says, if we signed it for the pages; nothing is asked of the database."""
    try:
        claims = verified(_cookie(), AUDIENCE)
    except (jwt.PyJWTError, ValueError):
        return None
    is_ours = claims.get("type") == "access" and type(claims.get("sid")) is int
    return claims if is_ours else None


def _cookie() -> str:
    return request.cookies.get(current_app.config["JWT_ACCESS_COOKIE_NAME"], "")


def _is_set_by(response: Response) -> bool:
    name = current_app.config["JWT_ACCESS_COOKIE_NAME"]
    return any(value.startswith(f"{name}=") for value in response.headers.getlist("Set-Cookie"))
