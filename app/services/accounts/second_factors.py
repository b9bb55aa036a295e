"""The stored second factors: secrets of authenticators, and recovery codes.

A code of an authenticator counts once: the UPDATE that stores its step has the condition that no such
or later code has counted. A recovery code counts once, because using it deletes its row. So of any
number of requests with the same code one succeeds, on whatever server.

The callers count failures (`throttle_service`) and hold the lock of the account.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Delete,
    Update,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from app import encryption
from app.db.prepared import prepared, run
from app.domain.clock import utc_now
from app.domain.people import second_factor
from app.domain.people.tokens import hash_token
from app.encryption import Undecryptable
from app.extensions import db
from app.models import RecoveryCode, SecondFactor, SignInStep

PURPOSE = "second factor"
"""What the secrets are encrypted for."""
SETUP_TIME = timedelta(minutes=15)
"""How long a secret waits for its first code."""
BATCH = 500
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FactorState:
    """What an account's owner and staff see of its second factor."""

    confirmed_at: datetime | None
    """Since when codes are asked for; None if they are not."""
    recovery_codes: int
    """How many recovery codes are left."""

    @property
    def is_enabled(self) -> bool:
        return self.confirmed_at is not None


def state_of(user_id: int) -> FactorState:
    """The state of an account's second factor; one statement."""
    codes = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
    confirmed = select(SecondFactor.confirmed_at).where(SecondFactor.user_id == user_id)
    row = db.session.execute(select(confirmed.scalar_subquery(), codes.scalar_subquery())).one()
    return FactorState(row[0], row[1])


def is_enabled(user_id: int) -> bool:
    """Whether sign-ins to an account need a code."""
    return run(_ENABLED, user_id=user_id).one_or_none() is not None


# Runs with every sign-in.
_ENABLED = prepared(
    select(SecondFactor.id).where(
        SecondFactor.user_id == bindparam("user_id"), SecondFactor.confirmed_at.is_not(None)
    )
)


def begin(user_id: int, session_id: int | None) -> str:
    """Store a new secret, which is not asked for before `confirm`, and return it.

    Until then the session that began is encrypted with it: no other one sees the secret or confirms it.
    """
    remove(user_id)
    secret = second_factor.new_secret()
    db.session.add(
        SecondFactor(
            user_id=user_id,
            secret=encryption.encrypt(PURPOSE, f"{session_id}:{secret}"),
            key_id=encryption.key_id(PURPOSE),
        )
    )
    db.session.flush()
    return secret


def pending_secret(user_id: int, session_id: int | None) -> str | None:
    """The secret of this session that waits for its first code; None without one, and after SETUP_TIME."""
    row = _find(user_id)
    if row is None or row.confirmed_at is not None or row.created_at < utc_now() - SETUP_TIME:
        return None
    session, _colon, secret = (_secret_of(row) or "").rpartition(":")
    return secret if session == str(session_id) else None


def confirm(user_id: int, session_id: int | None, code: str) -> bool:
    """Ask for codes from now on, if this is one of the pending secret. It does not count again."""
    secret, row = pending_secret(user_id, session_id), _find(user_id)
    if secret is None or row is None:
        return False
    steps = _matching_steps(secret, second_factor.clean(code))
    if not steps:
        return False
    row.secret, row.key_id = encryption.encrypt(PURPOSE, secret), encryption.key_id(PURPOSE)
    row.confirmed_at, row.last_step = utc_now(), steps[-1]
    db.session.flush()
    return True


def use_code(user_id: int, text: str) -> str | None:
    """Use a code of the authenticator or a recovery code up: "code" or "recovery code".

    None if it is wrong or was used before.
    """
    code = second_factor.clean(text)
    row = _find(user_id)
    if row is None or row.confirmed_at is None:
        return None
    # The last step first: one code may be that of two, and must not count for each.
    if any(_use_step(user_id, step) for step in _steps_of(row, code)[-1:]):
        return "code"
    return "recovery code" if _use_recovery_code(user_id, code) else None


def renew_recovery_codes(user_id: int) -> list[str]:
    """Make new recovery codes, which are shown once; the old ones count no more."""
    _delete_codes(user_id)
    codes = second_factor.new_recovery_codes()
    rows = [{"user_id": user_id, "code_hash": _hash_code(user_id, code)} for code in codes]
    db.session.execute(insert(RecoveryCode), rows)
    return codes


def remove(user_id: int) -> bool:
    """Remove an account's second factor, its codes and its waiting sign-ins; whether it had one."""
    _delete_codes(user_id)
    _run(delete(SignInStep).where(SignInStep.user_id == user_id))
    return _run(delete(SecondFactor).where(SecondFactor.user_id == user_id))


def count_outdated_keys() -> int:
    """How many secrets are encrypted under another key than the present one."""
    return db.session.scalar(select(func.count(SecondFactor.id)).where(_has_other_key())) or 0


def renew_encryption(after: int = 0) -> list[int]:
    """Encrypt up to BATCH secrets under the present key that are not yet; the ids that were read.

    Secrets that no key decrypts stay as they are. Fewer than BATCH at the end.
    """
    query = select(SecondFactor).where(_has_other_key(), SecondFactor.id > after)
    query = query.order_by(SecondFactor.id).limit(BATCH).with_for_update(skip_locked=True)
    rows = db.session.scalars(query.execution_options(populate_existing=True)).all()
    for row in rows:
        secret = _secret_of(row)
        if secret is not None:
            row.secret = encryption.encrypt(PURPOSE, secret)
            row.key_id = encryption.key_id(PURPOSE)
    db.session.flush()
    return [row.id for row in rows]


def is_abandoned() -> ColumnElement[bool]:
    """The condition of secrets that nobody has confirmed."""
    return SecondFactor.confirmed_at.is_(None) & (SecondFactor.created_at < utc_now() - SETUP_TIME)


def _has_other_key() -> ColumnElement[bool]:
    return SecondFactor.key_id != encryption.key_id(PURPOSE)


def _find(user_id: int) -> SecondFactor | None:
    query = select(SecondFactor).where(SecondFactor.user_id == user_id)
    row: SecondFactor | None = db.session.scalar(query.execution_options(populate_existing=True))
    return row


def _steps_of(row: SecondFactor, code: str) -> list[int]:
    secret = _secret_of(row)
    return _matching_steps(secret, code) if secret else []


def _matching_steps(secret: str, code: str) -> list[int]:
    # The clock of the machine: authenticators know no other time.
    return list(second_factor.matching_steps(secret, code, time.time()))


def _secret_of(row: SecondFactor) -> str | None:
    try:
        return encryption.decrypt(PURPOSE, row.secret)
    except Undecryptable:
        message = "The second factor of account %s is encrypted under a key that is not configured."
        log.error(message, row.user_id)
        return None


def _use_step(user_id: int, step: int) -> bool:
    return _run(
        update(SecondFactor)
        .where(SecondFactor.user_id == user_id, SecondFactor.last_step < step)
        .values(last_step=step)
    )


def _use_recovery_code(user_id: int, code: str) -> bool:
    letters = second_factor.read_recovery_code(code)
    if letters is None:
        return False
    return _run(
        delete(RecoveryCode).where(
            RecoveryCode.user_id == user_id, RecoveryCode.code_hash == _hash_code(user_id, letters)
        )
    )


def _hash_code(user_id: int, code: str) -> str:
    return hash_token(f"{user_id}:{code.replace('-', '')}")


def _delete_codes(user_id: int) -> None:
    _run(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def _run(statement: Delete | Update) -> bool:
    """Run a guarded statement; whether it met its row."""
    return bool(run(statement).rowcount)
