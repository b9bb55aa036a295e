"""Idempotency keys: a request that is sent twice is carried out once, and its answer is replayed.

See the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Executable, bindparam, delete, null, select, update
from sqlalchemy.exc import OperationalError

from app.db import cleanup
from app.db.prepared import prepared, run, upsert
from app.domain.clock import utc_now
from app.domain.people.buyer import Buyer
from app.errors import Conflict, Invalid
from app.keyed_hashes import keyed_hashes
from app.models import IdempotencyKey, Order

LIFETIME = timedelta(hours=24)
_LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL, appendix A


@dataclass(frozen=True)
class KeyedRequest:
    """A request with its key; `body` is its JSON as parsed. `former_key` is the key as an earlier
    release stored it, where that differs."""

    key: str
    body: object
    former_key: str | None = None

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


class StoredAnswer(NamedTuple):
    """A response that is stored under a key."""

    status: int
    headers: dict[str, str]
    body: bytes

    def dump(self) -> bytes:
        """The answer in one text, compressed: a cart of thousands of lines has a large one."""
        head = orjson.dumps({"status": self.status, "headers": self.headers})
        return zlib.compress(head + b"\n" + self.body)

    @classmethod
    def load(cls, data: bytes) -> "StoredAnswer":
        """The answer that `dump` wrote."""
        head, _, body = zlib.decompress(data).partition(b"\n")
        return cls(body=body, **orjson.loads(head))


def claim(request: KeyedRequest, buyer: Buyer | str) -> Claim:
    """Claim the key for this transaction, or find the answer that is stored under it.

    Keys belong to a buyer, or to the scope that is passed instead.

    While another request with the key runs, this waits: for its row in the unique index
    (PostgreSQL), or to begin writing at all (SQLite). If that request succeeds, its answer is
    returned; if it is refused, the key is free again. A key past LIFETIME is free, too.

    Raises:
        Invalid: `idempotency_key_reused`, where the key came with another body before.
        Conflict: `idempotency_key_in_use`, where the other request takes too long.
    """
    now = utc_now()
    scope, request_hash = scope_of(buyer), request.hash
    if request.former_key is not None:
        former = _find_former(scope, request.former_key, request_hash, now)
        if former is not None:
            return former
    new_id = _insert(scope, request.key, request_hash, now)
    if new_id is None:
        return _find(scope, request.key, request_hash)
    if cleanup.is_due(new_id):
        # Answers repeat addresses: they go when nobody can ask for them any more.
        cleanup.delete_batch(IdempotencyKey, IdempotencyKey.created_at <= now - LIFETIME)
    return Claim(new_id)


def store_answer(key: Claim, answer: bytes, order_id: int | None = None) -> None:
    """Store the answer to a request, to be replayed."""
    run(_STORE_ANSWER, claim_id=key.id, new_answer=answer, order=order_id)


def release(claim: Claim) -> None:
    """Give up a claim of this transaction, which stores nothing under its key."""
    run(_RELEASE, released_id=claim.id)


def once(request: KeyedRequest, buyer: Buyer, work: Callable[[], int | None]) -> int:
    """The id that `work` returns (0 for none), or that it returned to the same request before.

    Raises: as `claim` does.
    """
    key = claim(request, buyer)
    if key.answer is not None:
        return int(key.answer)
    row_id = work() or 0
    store_answer(key, str(row_id).encode())
    return row_id


def scope_of(buyer: Buyer | str) -> str:
    """Whose keys these are: an account's, or those of a guest's cart token. A scope is returned as
    it is."""
    if isinstance(buyer, str):
        return buyer
    if buyer.user_id is not None:
        return f"user:{buyer.user_id}"
    return f"cart:{buyer.guest_token_hash}"


def scope_of_cart(token_hash: str) -> str:
    """The scope of a guest's cart."""
    return f"cart:{token_hash}"


def scope_of_order(token_hash: str) -> str:
    """The scope of the holder of a guest order's token."""
    return f"order:{token_hash}"


def scopes_of_email(email_key: str) -> list[str]:
    """The scopes of an email address that registers: at present, and under former keys of the shop."""
    return [f"email:{digest.hex()}" for digest in keyed_hashes("idempotency scope", email_key)]


def _insert(scope: str, key: str, request_hash: str, now: datetime) -> int | None:
    """The id of the key's new row; None where it has one that is still valid, which is locked."""
    values = {"scope": scope, "key": key, "request_hash": request_hash, "created_at": now}
    try:
        row_id: int | None = run(_INSERT, {**values, "expired": now - LIFETIME}).scalar()
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
            raise
        detail = "A request with this Idempotency-Key is still running. Try again in a moment."
        raise Conflict("idempotency_key_in_use", detail) from None
    return row_id


def _find(scope: str, key: str, request_hash: str) -> Claim:
    return _checked(run(_FIND, scope=scope, key=key).one(), request_hash)


def _find_former(scope: str, key: str, request_hash: str, now: datetime) -> Claim | None:
    row = run(_FIND_VALID, scope=scope, key=key, expired=now - LIFETIME).one_or_none()
    return _checked(row, request_hash) if row else None


def _checked(row: Any, request_hash: str) -> Claim:
    if row.request_hash != request_hash:
        detail = "This Idempotency-Key was used with another body. Send a new key."
        raise Invalid(code="idempotency_key_reused", detail=detail)
    return Claim(row.id, row.answer, row.number)


def _insert_statement(insert_into: Any) -> Executable:
    """INSERT a key's row, or take over one that has expired. A row that is still valid is not
    changed, only locked until the commit."""
    names = ("scope", "key", "request_hash", "created_at")
    statement = insert_into(IdempotencyKey).values({name: bindparam(name) for name in names})
    upserted: Executable = statement.on_conflict_do_update(
        index_elements=["scope", "key"],
        set_={
            "request_hash": statement.excluded.request_hash,
            "created_at": statement.excluded.created_at,
            "answer": null(),
            "order_id": null(),
        },
        where=IdempotencyKey.created_at <= bindparam("expired"),
    ).returning(IdempotencyKey.id)
    return upserted


_INSERT = upsert(_insert_statement)
_FIND = prepared(
    select(IdempotencyKey.id, IdempotencyKey.request_hash, IdempotencyKey.answer, Order.number)
    .outerjoin(Order, Order.id == IdempotencyKey.order_id)
    .where(IdempotencyKey.scope == bindparam("scope"), IdempotencyKey.key == bindparam("key"))
)
_FIND_VALID = _FIND.where(IdempotencyKey.created_at > bindparam("expired"))
_RELEASE = prepared(delete(IdempotencyKey).where(IdempotencyKey.id == bindparam("released_id")))
_STORE_ANSWER = prepared(
    update(IdempotencyKey)
    .where(IdempotencyKey.id == bindparam("claim_id"))
    .values(answer=bindparam("new_answer"), order_id=bindparam("order"))
)
