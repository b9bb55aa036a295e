"""The JWTs of a session: a short access token, and a refresh token that is good for one use."""

from datetime import timedelta
from typing import Any

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
