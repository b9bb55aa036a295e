"""The JWTs of a session: a short access token, and a refresh token that is good for one use.

They are signed with JWT_SECRET_KEY. Those of JWT_SECRET_KEY_PREVIOUS are believed, too, so that a new
key signs nobody out.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import jwt
from flask import current_app
from flask_jwt_extended import create_access_token, create_refresh_token

from app.models import Session


def session_lifetime() -> timedelta:
    """How long a session goes on without a refresh: as long as a refresh token is good."""
    lifetime: timedelta = current_app.config["JWT_REFRESH_TOKEN_EXPIRES"]
    return lifetime


def token_pair(session: Session) -> dict[str, Any]:
    """The tokens of a session's present generation; `expires_in` is in seconds."""
    identity, claims = str(session.user_id), {"sid": session.id}
    refresh_claims = {**claims, "gen": session.generation}
    lifetime: timedelta = current_app.config["JWT_ACCESS_TOKEN_EXPIRES"]
    return {
        "access_token": create_access_token(identity, additional_claims=claims),
        "refresh_token": create_refresh_token(identity, additional_claims=refresh_claims),
        "token_type": "Bearer",
        "expires_in": int(lifetime.total_seconds()),
    }


def verified(token: str, audience: str, *required: str) -> dict[str, Any]:
    """The claims of a token that we signed for an audience, while it has not expired.

    When it was issued is not compared with the clock: a clock that is set back would end every
    session. Whether the session goes on is asked of the database.

    Raises:
        jwt.PyJWTError, ValueError: it is none of ours, or no longer good.
    """
    config = current_app.config
    keys: list[str] = [config["JWT_SECRET_KEY"], *config["JWT_SECRET_KEY_PREVIOUS"]]
    for key in keys[:-1]:
        with suppress(jwt.InvalidSignatureError):
            return _verified_by(key, token, audience, required)
    return _verified_by(keys[-1], token, audience, required)


def _verified_by(key: str, token: str, audience: str, required: Iterable[str]) -> dict[str, Any]:
    config = current_app.config
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=[config["JWT_ALGORITHM"]],
        audience=audience,
        issuer=config["JWT_DECODE_ISSUER"],
        options={"require": ["exp", "aud", "iss", "sub", *required], "verify_iat": False},
    )
    return claims
