"""Requests that may be sent twice and are carried out once: keys and their stored answers.

The IETF draft "The Idempotency-Key HTTP Header Field" describes the idea.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import OperationalError

from app.domain.buyer import Buyer
from app.domain.clock import utc_now
from app.errors import Conflict, Invalid
from app.extensions import db
from app.models import IdempotencyKey
from app.services.sweeping import sweep

LIFETIME = timedelta(hours=24)
_LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL, appendix A


@dataclass(frozen=True)
class Request:
    """A request that carries a key; `body` is its JSON as parsed."""

    key: str
    body: Any

    @property
    def hash(self) -> str:
        """A fingerprint of the body, the same for every spelling of the same JSON."""
        canonical = json.dumps(self.body, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()


def claim(request: Request, buyer: Buyer) -> IdempotencyKey:
    """The key's row: with an answer, to be replayed, or without one, for the caller to fill.

    While another request with the key runs, this waits: for its row in the unique index
    (PostgreSQL), or to begin writing at all (SQLite). If that one succeeds, the violation has the
    work run afresh, and it finds the answer; if that one is refused, the key is free again.

    Raises:
        Invalid: `idempotency_key_reused`, where the key came with another body before.
        Conflict: `idempotency_key_in_use`, where the other request takes too long.
    """
    row = _find(request.key, scope_of(buyer))
    if row is None:
        # Answers repeat addresses: they are not kept for longer than they are of use.
        sweep(IdempotencyKey, IdempotencyKey.created_at <= utc_now() - LIFETIME)
        row = IdempotencyKey(
            scope=scope_of(buyer), key=request.key, request_hash=request.hash, created_at=utc_now()
        )
        db.session.add(row)
        _flush()
    if row.request_hash != request.hash:
        detail = "This Idempotency-Key was used with another body. Send a new key."
        raise Invalid(code="idempotency_key_reused", detail=detail)
    return row


def once(request: Request, buyer: Buyer, work: Callable[[], int | None]) -> int:
    """The id that `work` answers (0 for none), or that it answered when the same request came before.

    Raises: as `claim` does.
    """
    row = claim(request, buyer)
    if row.answer is None:
        row.answer = str(work() or 0).encode()
        db.session.flush()
    return int(row.answer)


def scope_of(buyer: Buyer) -> str:
    """Whose keys these are: an account's, or those of a guest's cart token."""
    if buyer.user_id is not None:
        return f"user:{buyer.user_id}"
    return f"cart:{buyer.guest_token_hash}"


def _find(key: str, scope: str) -> IdempotencyKey | None:
    row: IdempotencyKey | None = db.session.scalar(
        select(IdempotencyKey).where(IdempotencyKey.scope == scope, IdempotencyKey.key == key)
    )
    if row is None or utc_now() - row.created_at < LIFETIME:
        return row
    db.session.expunge(row)
    db.session.execute(
        delete(IdempotencyKey).where(IdempotencyKey.id == row.id),
        execution_options={"synchronize_session": False},
    )
    return None


def _flush() -> None:
    try:
        db.session.flush()
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
            raise
        detail = "A request with this Idempotency-Key is still running. Try again in a moment."
        raise Conflict("idempotency_key_in_use", detail) from None
