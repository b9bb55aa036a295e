"""The security log: sign-ins, failures, changes of rights and exports, with the client's address.

It is for people who look into an incident (OWASP Logging Cheat Sheet, "Which events to log"). It never
holds a password or what was typed as an email address. `flask purge` removes lines after
SECURITY_LOG_DAYS. Deleting an account does not remove its lines, because whoever steals an account may
also delete it.

The log must not let an attacker fill the disk. Equal events within one minute are one line with a
count; failed sign-ins from one network within one minute are one line, whatever the account. After
`MOST_FAILURES` lines of failures in a minute, all further ones share a single line.
"""

import hashlib
from collections.abc import Callable

from sqlalchemy import Executable, bindparam, case, func, select
from sqlalchemy.dialects.postgresql import Insert

from app.db.prepared import prepared, run, upsert
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.domain.people.networks import networks_of
from app.extensions import db
from app.models import SecurityEvent

SIGNED_IN = "signed_in"
SIGN_IN_FAILED = "sign_in_failed"
REGISTERED = "registered"
PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a kind of event
PASSWORD_REFUSED = "password_refused"  # noqa: S105 - as above
SIGNED_OUT_EVERYWHERE = "signed_out_everywhere"
SESSION_ENDED = "session_ended"
CODE_REFUSED = "code_refused"
SECOND_FACTOR_ADDED = "second_factor_added"
SECOND_FACTOR_REMOVED = "second_factor_removed"
RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
EMAIL_CHANGED = "email_changed"
ACCOUNT_DELETED = "account_deleted"
RIGHTS_CHANGED = "rights_changed"
ADDRESS_RELEASED = "address_released"
PERSON_ERASED = "person_erased"
EXPORTED = "exported"
RESTORED = "restored"
KINDS = (
    SIGNED_IN, SIGN_IN_FAILED, REGISTERED, PASSWORD_CHANGED, PASSWORD_REFUSED,
    SIGNED_OUT_EVERYWHERE, SESSION_ENDED, CODE_REFUSED, SECOND_FACTOR_ADDED,
    SECOND_FACTOR_REMOVED, RECOVERY_CODES_RENEWED, EMAIL_CHANGED, ACCOUNT_DELETED, RIGHTS_CHANGED, ADDRESS_RELEASED,
    PERSON_ERASED, EXPORTED, RESTORED,
)  # fmt: skip
MOST_FAILURES = 200
"""Lines of failed sign-ins in one minute, each from another network."""
LONGEST_ADDRESS, LONGEST_DETAIL = 60, 200


def record(kind: str, user_id: int | None, address: str | None, detail: str = "") -> None:
    """Record an event of an account. An equal event in the same minute raises the count of its line."""
    _write(kind, user_id, address, detail, f"{user_id}:{address}:{detail}")


def record_of(actor: Actor, kind: str, detail: str = "") -> None:
    """Record what a signed-in caller or a command did."""
    by_command = "by command" if actor.interface == "cli" else ""
    record(kind, actor.user_id, actor.address, " ".join(filter(None, (detail, by_command))))


def record_failure(user_id: int | None, address: str | None) -> None:
    """Record a failed sign-in. Failures from one network in one minute are one line."""
    minute = utc_now().replace(second=0, microsecond=0)
    lines = run(_FAILURES, minute=minute, kind=SIGN_IN_FAILED, most=MOST_FAILURES).scalar_one()
    if lines >= MOST_FAILURES:
        _write(SIGN_IN_FAILED, None, None, "from many networks", "many")
        return
    network = (networks_of(address) or ("",))[-1]
    _write(SIGN_IN_FAILED, user_id, address, "", network, network)


def _write(
    kind: str,
    user_id: int | None,
    address: str | None,
    detail: str,
    group: str,
    network: str | None = None,
) -> None:
    """Insert a line, or raise the count of the line with the same minute, kind and `group`.

    If the addresses of one line differ, `network` replaces them.
    """
    now = utc_now()
    text = f"{now:%Y-%m-%dT%H:%M}:{kind}:{group}"
    bucket = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    db.session.flush()
    run(
        _WRITE,
        at=now,
        kind=kind,
        user_id=user_id,
        address=address[:LONGEST_ADDRESS] if address else None,
        detail=detail[:LONGEST_DETAIL],
        bucket=bucket,
        network=network,
    )


def _insert_or_count(insert: Callable[[type[SecurityEvent]], Insert]) -> Executable:
    """The statement of `_write`. SQLite's INSERT has the same methods as PostgreSQL's."""
    columns = ("at", "kind", "user_id", "address", "detail", "bucket")
    line = insert(SecurityEvent).values(
        {name: bindparam(name, type_=getattr(SecurityEvent, name).type) for name in columns}
    )
    new = line.excluded
    # A line that stands for several accounts names none of them.
    user_id = case((SecurityEvent.user_id == new.user_id, new.user_id))
    network = bindparam("network", type_=SecurityEvent.address.type)
    address = case((SecurityEvent.address == new.address, new.address), else_=network)
    return line.on_conflict_do_update(
        index_elements=["bucket"],
        set_={"count": SecurityEvent.count + 1, "user_id": user_id, "address": address},
    )


_WRITE = upsert(_insert_or_count)
_LINES = (
    select(SecurityEvent.id)
    .where(SecurityEvent.kind == bindparam("kind"), SecurityEvent.at >= bindparam("minute"))
    .limit(bindparam("most"))
    .subquery()
)
_FAILURES = prepared(select(func.count()).select_from(_LINES))
