"""Requests that may be sent twice and are carried out once: keys and their stored answers.

The IETF draft "The Idempotency-Key HTTP Header Field" describes the idea.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, null, select, update
from sqlalchemy.exc import OperationalError

from app.db import cleanup
from app.db.prepared import prepared, run, upsert
from app.domain.clock import utc_now
from app.domain.people.buyer import Buyer
from app.errors import Conflict, Invalid
from app.models import IdempotencyKey, Order

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


class Claim(NamedTuple):
    """A caller's key. Where its request was carried out before, `answer` is what to replay, and
    `order_number` the order that was placed, if it was one."""

    id: int
    answer: bytes | None = None
    order_number: str | None = None


def claim(request: Request, buyer: Buyer) -> Claim:
    """Take the key, or find out what was answered to it.

    While another request with the key runs, this waits: for its row in the unique index
    (PostgreSQL), or to begin writing at all (SQLite). If that one succeeds, its answer is found;
    if that one is refused, the key is free again. A key past its day is as good as new.

    Raises:
        Invalid: `idempotency_key_reused`, where the key came with another body before.
        Conflict: `idempotency_key_in_use`, where the other request takes too long.
    """
    now = utc_now()
    row = {"scope": scope_of(buyer), "key": request.key, "request_hash": request.hash}
    new_id = _take({**row, "created_at": now, "forgotten": now - LIFETIME})
    if new_id is None:
        return _found(row)
    if cleanup.is_time(new_id):
        # Answers repeat addresses: they are not kept for longer than they are of use.
        cleanup.sweep(IdempotencyKey, IdempotencyKey.created_at <= now - LIFETIME)
    return Claim(new_id)


def settle(claimed: Claim, answer: bytes, order_id: int | None = None) -> None:
    """Keep the answer to a request, to be given again."""
    run(_SETTLE, claim_id=claimed.id, given=answer, order=order_id)


def once(request: Request, buyer: Buyer, work: Callable[[], int | None]) -> int:
    """The id that `work` answers (0 for none), or that it answered when the same request came before.

    Raises: as `claim` does.
    """
    claimed = claim(request, buyer)
    if claimed.answer is not None:
        return int(claimed.answer)
    made = work() or 0
    settle(claimed, str(made).encode())
    return made


def scope_of(buyer: Buyer) -> str:
    """Whose keys these are: an account's, or those of a guest's cart token."""
    if buyer.user_id is not None:
        return f"user:{buyer.user_id}"
    return f"cart:{buyer.guest_token_hash}"


def _take(row: dict[str, Any]) -> int | None:
    try:
        taken: int | None = run(_TAKE, row).scalar()
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
            raise
        detail = "A request with this Idempotency-Key is still running. Try again in a moment."
        raise Conflict("idempotency_key_in_use", detail) from None
    return taken


def _found(row: dict[str, Any]) -> Claim:
    known = run(_FIND, asked_scope=row["scope"], asked_key=row["key"]).one()
    if known.request_hash != row["request_hash"]:
        detail = "This Idempotency-Key was used with another body. Send a new key."
        raise Invalid(code="idempotency_key_reused", detail=detail)
    return Claim(known.id, known.answer, known.number)


def _taking(insert_into: Any) -> Any:
    """The statement that makes a key's row, or takes over one that is forgotten; where there is
    another it changes nothing, but holds that one until the commit."""
    names = ("scope", "key", "request_hash", "created_at")
    taking = insert_into(IdempotencyKey).values({name: bindparam(name) for name in names})
    return taking.on_conflict_do_update(
        index_elements=["scope", "key"],
        set_={
            "request_hash": taking.excluded.request_hash,
            "created_at": taking.excluded.created_at,
            "answer": null(),
            "order_id": null(),
        },
        where=IdempotencyKey.created_at <= bindparam("forgotten"),
    ).returning(IdempotencyKey.id)


_TAKE = upsert(_taking)
_FIND = prepared(
    select(IdempotencyKey.id, IdempotencyKey.request_hash, IdempotencyKey.answer, Order.number)
    .outerjoin(Order, Order.id == IdempotencyKey.order_id)
    .where(
        IdempotencyKey.scope == bindparam("asked_scope"),
        IdempotencyKey.key == bindparam("asked_key"),
    )
)
_SETTLE = prepared(
    update(IdempotencyKey)
    .where(IdempotencyKey.id == bindparam("claim_id"))
    .values(answer=bindparam("given"), order_id=bindparam("order"))
)
