"""Single-use tokens of links in mails: to set a new password, or to confirm an address.

A token is an HMAC of its row's random `seed` under a key that is derived from SECRET_KEY, and its row stores
its hash (SHA-256). So a copy of the database contains no token, and neither do the rows of mails and jobs,
yet each try of a mail sends the same link.

A token counts once: the UPDATE that uses it up has the condition that it is open. It is not open any more
after its time, after any new password, after the account was closed, signed out everywhere or given a second
factor, or, unless it is for a new address, once the account has another address. A token for a new address is
not, either, once there is a newer one.
"""

import base64
import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update

from app.domain.clock import utc_now
from app.domain.people.tokens import hash_token
from app.errors import Invalid
from app.extensions import db
from app.keyed_hashes import keyed_hashes
from app.models import AccountToken, User
from app.services.accounts import throttle_service
from app.services.messages.mail_service import queue_mail

LIFETIMES = {
    "reset": timedelta(hours=1),
    "verify": timedelta(hours=24),
    "email": timedelta(hours=24),
}
"""What tokens are for, and how long they are valid."""
MOST = 5
"""How many tokens for one purpose an account gets within their lifetime, used ones included."""
_KEY = "account token"
_TEMPLATES = {
    "reset": "password_reset",
    "verify": "email_confirmation",
    "email": "email_confirmation",
}


class OpenToken(NamedTuple):
    """A token that may be used."""

    id: int
    user_id: int
    purpose: str
    email: str
    """Where its link was sent."""


def send_link(user: User, purpose: str, email: str) -> bool:
    """Queue the mail with a link to an address; False if the account has got MOST of them already.

    Of mails that confirm an address it gets a few a day, whoever asks for them: others may have made many
    accounts to annoy its holder. Beyond that none is queued, which is not told. The caller holds the lock of
    the account.
    """
    token_id = issue(user, purpose, email)
    if token_id is None:
        return False
    if purpose != "reset" and not throttle_service.count_mail(email):
        return True
    context = {"user": user.id, "token": token_id}
    return queue_mail(_TEMPLATES[purpose], email, f"token {token_id}", context)


def issue(user: User, purpose: str, email: str) -> int | None:
    """Store a token, and return the id of its row; None if the account has got MOST of them already.

    The caller holds the lock of the account.
    """
    now = utc_now()
    recent = select(func.count(AccountToken.id)).where(
        AccountToken.user_id == user.id,
        AccountToken.purpose == purpose,
        AccountToken.expires_at > now,
    )
    if (db.session.scalar(recent) or 0) >= MOST:
        return None
    if purpose == "email":
        end_all(user.id, purpose)
    seed = secrets.token_hex(32)
    row = AccountToken(
        user_id=user.id,
        purpose=purpose,
        email=email,
        seed=seed,
        token_hash=hash_token(_tokens(seed)[0]),
        password_version=user.password_version,
        created_at=now,
        expires_at=now + LIFETIMES[purpose],
    )
    db.session.add(row)
    db.session.flush()
    return row.id


def link_token(token_id: int, user_id: int, email: str, *purposes: str) -> str | None:
    """The token of a row, for the link in a mail to this address; None if it is not open any more.

    None, too, if the row is of another account, address or purpose: a database may give the id of a deleted
    row again, and nobody else may get the link. None, too, if it was issued under a SECRET_KEY that is no
    longer known.
    """
    query = select(AccountToken.seed, AccountToken.token_hash).where(
        AccountToken.id == token_id,
        AccountToken.user_id == user_id,
        AccountToken.email == email,
        AccountToken.purpose.in_(purposes),
    )
    row = db.session.execute(query.where(_is_open())).one_or_none()
    if row is None:
        return None
    tokens = _tokens(row.seed)
    return next(
        (token for token in tokens if hmac.compare_digest(hash_token(token), row.token_hash)), None
    )


def find(token: str, *purposes: str) -> OpenToken:
    """The row of an open token for one of these purposes.

    Raises:
        Invalid: `token_invalid`.
    """
    query = select(*(getattr(AccountToken, name) for name in OpenToken._fields))
    row = db.session.execute(query.where(_is(token, purposes), _is_open())).one_or_none()
    if row is None:
        raise _invalid()
    return OpenToken._make(row)


def use(token: str, *purposes: str) -> OpenToken:
    """Use a token up. The caller holds the lock of its account.

    Raises:
        Invalid: `token_invalid`, also for all but the first of several requests with the same token.
    """
    statement = (
        update(AccountToken)
        .where(_is(token, purposes), _is_open())
        .values(used_at=utc_now())
        .returning(*(getattr(AccountToken, name) for name in OpenToken._fields))
        .execution_options(synchronize_session=False)
    )
    row = db.session.execute(statement).one_or_none()
    if row is None:
        raise _invalid()
    return OpenToken._make(row)


def end_all(user_id: int, *purposes: str) -> None:
    """Let no link work that was sent before; of these purposes, or of all."""
    statement = update(AccountToken).where(
        AccountToken.user_id == user_id,
        AccountToken.purpose.in_(purposes or LIFETIMES),
        AccountToken.used_at.is_(None),
    )
    db.session.execute(
        statement.values(used_at=utc_now()).execution_options(synchronize_session=False)
    )


def erase(user_id: int) -> None:
    """Delete the tokens of an account, and with them the addresses that they were sent to."""
    statement = delete(AccountToken).where(AccountToken.user_id == user_id)
    db.session.execute(statement.execution_options(synchronize_session=False))


def expired() -> ColumnElement[bool]:
    """The condition of tokens that may be removed."""
    return AccountToken.expires_at < utc_now()


def _is(token: str, purposes: Sequence[str]) -> ColumnElement[bool]:
    return (AccountToken.token_hash == hash_token(token)) & AccountToken.purpose.in_(purposes)


def _is_open() -> ColumnElement[bool]:
    has_account = exists().where(
        User.id == AccountToken.user_id,
        User.password_version == AccountToken.password_version,
        User.is_active,
        User.deleted_at.is_(None),
        or_(AccountToken.purpose == "email", User.email == AccountToken.email),
    )
    is_unused = AccountToken.used_at.is_(None) & (AccountToken.expires_at > utc_now())
    return is_unused & has_account


def _tokens(seed: str) -> list[str]:
    """The token of a seed under SECRET_KEY, and under each of SECRET_KEY_FALLBACKS."""
    return [
        base64.urlsafe_b64encode(digest).decode().rstrip("=") for digest in keyed_hashes(_KEY, seed)
    ]


def _invalid() -> Invalid:
    detail = "This link was used before, or is too old. Ask for a new one."
    return Invalid(code="token_invalid", detail=detail)
