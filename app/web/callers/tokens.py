"""The JWTs of a session: a short-lived access token, and a refresh token for one use.

They are signed with JWT_SECRET_KEY. Tokens signed with a key of JWT_SECRET_KEY_PREVIOUS are valid as
well, so that a new key signs nobody out.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypedDict

import jwt
from flask import current_app
from flask_jwt_extended import create_access_token, create_refresh_token

from app.domain.text import MAX_ID
from app.models import Session

Claims = dict[str, Any]
"""The claims of a JWT: a client sends them, so each has to be checked before its use."""


class TokenPair(TypedDict):
    """The answer to a sign-in or a refresh; `expires_in` is in seconds."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


def session_lifetime() -> timedelta:
    """How long a session lasts without a refresh: as long as its refresh token is valid."""
    lifetime: timedelta = current_app.config["JWT_REFRESH_TOKEN_EXPIRES"]
    return lifetime


def token_pair(session: Session) -> TokenPair:
    """The tokens of a session's present generation."""
    identity, claims = str(session.user_id), {"sid": session.id}
    refresh_claims = {**claims, "gen": session.generation}
    lifetime: timedelta = current_app.config["JWT_ACCESS_TOKEN_EXPIRES"]
    return {
        "access_token": create_access_token(identity, additional_claims=claims),
        "refresh_token": create_refresh_token(identity, additional_claims=refresh_claims),
        "token_type": "Bearer",
        "expires_in": int(lifetime.total_seconds()),
    }


def verify_token(token: str, audience: str, *required: str) -> Claims:
    """The claims of a token that the shop signed for an audience and that has not expired.

    The time of issue is not compared with the clock: a clock that is set back would end every
    session. Whether the session has ended is not checked here.

    Raises:
        jwt.PyJWTError, ValueError: the token is not the shop's, or has expired.
    """
    config = current_app.config
    keys: list[str] = [config["JWT_SECRET_KEY"], *config["JWT_SECRET_KEY_PREVIOUS"]]
    for key in keys[:-1]:
        with suppress(jwt.InvalidSignatureError):
            return _decode(key, token, audience, required)
    return _decode(keys[-1], token, audience, required)


def has_numbers(claims: Claims, names: Iterable[str]) -> bool:
    """Whether these claims are numbers that the database can look for, and count on from."""
    return all(type(claims.get(name)) is int and 0 <= claims[name] < MAX_ID for name in names)


def _decode(key: str, token: str, audience: str, required: Iterable[str]) -> Claims:
    config = current_app.config
    claims: Claims = jwt.decode(
        token,
        key,
        algorithms=[config["JWT_ALGORITHM"]],
        audience=audience,
        issuer=config["JWT_DECODE_ISSUER"],
        options={"require": ["exp", "aud", "iss", "sub", *required], "verify_iat": False},
    )
    return claims
