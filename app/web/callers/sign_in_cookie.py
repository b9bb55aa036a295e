"""Sign-in on the pages: a JWT in a cookie that scripts cannot read, valid on the pages alone.

The token has another audience than those of the API, and neither accepts the other's: a cookie,
which browsers send with every request, never authenticates a call of the API.
"""

from dataclasses import replace

import jwt
from flask import Response, current_app, g, request
from flask_jwt_extended import create_access_token, set_access_cookies, unset_access_cookies

from app.domain.people.actor import ANONYMOUS
from app.models import Session
from app.web.callers.sessions import find_actor
from app.web.callers.tokens import Claims, has_numbers, session_lifetime, verify_token
from app.web.limits import rate_limits

AUDIENCE = "shopswift-pages"


def set_sign_in_cookie(response: Response, session: Session) -> None:
    """Set the session's cookie. It is valid as long as the session's row.

    Pages do not rotate tokens as API clients do: of two tabs, the second would end the session.
    """
    lifetime = session_lifetime()
    token = create_access_token(
        str(session.user_id),
        expires_delta=lifetime,
        additional_claims={"sid": session.id, "aud": AUDIENCE},
    )
    set_access_cookies(response, token, max_age=int(lifetime.total_seconds()))


def unset_sign_in_cookie(response: Response) -> None:
    """Delete the cookie from the browser."""
    unset_access_cookies(response)


def identify_visitor() -> None:
    """Find the session that the cookie names. A cookie that is not valid means an anonymous visitor."""
    if "actor" in g:  # a Bearer token identified the caller
        return
    claims = sign_in_claims()
    actor = find_actor(claims["sid"]) if claims else None
    if actor is not None and str(actor.user_id) != (claims or {})["sub"]:
        actor = None
    if claims and actor is None:
        rate_limits.count_for_network()
    g.actor = replace(actor or ANONYMOUS, interface="pages", address=request.remote_addr)
    g.has_invalid_cookie = actor is None and bool(_cookie())


def unset_invalid_cookie(response: Response) -> Response:
    """Delete a cookie that is not valid, unless the response sets a new one."""
    if g.get("has_invalid_cookie") and not _is_set_by(response):
        unset_sign_in_cookie(response)
    return response


def sign_in_claims() -> Claims | None:
    """The cookie's claims, if the shop signed them for the pages; None otherwise.

    The database is not read: the session may have ended.
    """
    try:
        claims = verify_token(_cookie(), AUDIENCE)
    except (jwt.PyJWTError, ValueError):
        return None
    is_ours = claims.get("type") == "access" and has_numbers(claims, ["sid"])
    return claims if is_ours else None


def _cookie() -> str:
    return request.cookies.get(current_app.config["JWT_ACCESS_COOKIE_NAME"], "")


def _is_set_by(response: Response) -> bool:
    name = current_app.config["JWT_ACCESS_COOKIE_NAME"]
    return any(value.startswith(f"{name}=") for value in response.headers.getlist("Set-Cookie"))
