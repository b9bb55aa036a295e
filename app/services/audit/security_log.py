"""The security log: sign-ins, failures, changes of rights and exports, with the client's address.

It is for people who look into an incident (OWASP Logging Cheat Sheet, "Which events to log"). It never
holds a password, nor what was typed as an email. Lines are kept for SECURITY_LOG_DAYS and removed by
`flask purge`; lines of an account that is deleted stay until then, since whoever steals an account may
delete it.

An attacker must not fill the disk with it: what happens alike in one minute is one line with a count,
failures alike whatever the account. Past `MOST_FAILURES` lines of failures in a minute, the rest share
one.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, func, select

from app.db.paging import Page, fetch_page
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
ACCOUNT_DELETED = "account_deleted"
RIGHTS_CHANGED = "rights_changed"
ADDRESS_RELEASED = "address_released"
PERSON_ERASED = "person_erased"
EXPORTED = "exported"
RESTORED = "restored"
KINDS = (
    SIGNED_IN, SIGN_IN_FAILED, REGISTERED, PASSWORD_CHANGED, PASSWORD_REFUSED,
    SIGNED_OUT_EVERYWHERE, ACCOUNT_DELETED, RIGHTS_CHANGED, ADDRESS_RELEASED, PERSON_ERASED,
    EXPORTED, RESTORED,
)  # fmt: skip
MOST_FAILURES = 200
"""Lines of failed sign-ins a minute, each of another network."""
LONGEST_ADDRESS, LONGEST_DETAIL = 60, 200


@dataclass(frozen=True)
class Filters:
    """Which events are wanted; what is None does not matter."""

    kind: str | None = None
    user_id: int | None = None
    address: str | None = None


def record(kind: str, user_id: int | None, address: str | None, detail: str = "") -> None:
    """Note an event about an account; the same again within a minute only raises the count."""
    _write(kind, user_id, address, detail, f"{user_id}:{address}:{detail}")


def record_of(actor: Actor, kind: str, detail: str = "") -> None:
    """Note what a caller did."""
    by_command = "by command" if actor.door == "cli" else ""
    record(kind, actor.user_id, actor.address, " ".join(filter(None, (detail, by_command))))


def record_failure(user_id: int | None, address: str | None) -> None:
    """Note a failed sign-in. Failures from one network in one minute are one line."""
    minute = utc_now().replace(second=0, microsecond=0)
    lines = run(_FAILURES, minute=minute, kind=SIGN_IN_FAILED, most=MOST_FAILURES).scalar_one()
    if lines >= MOST_FAILURES:
        _write(SIGN_IN_FAILED, None, None, "from many networks", "many")
        return
    network = (networks_of(address) or ("",))[-1]
    _write(SIGN_IN_FAILED, user_id, address, "", network, network)


def list_events(filters: Filters, page: int, per_page: int) -> Page[SecurityEvent]:
    """The log, newest first.

    Raises:
        Invalid: `use_cursor`, where the page lies too deep.
    """
    query = select(SecurityEvent)
    if filters.kind is not None:
        query = query.where(SecurityEvent.kind == filters.kind)
    if filters.user_id is not None:
        query = query.where(SecurityEvent.user_id == filters.user_id)
    if filters.address is not None:
        query = query.where(SecurityEvent.address == filters.address)
    return fetch_page(query, [SecurityEvent.id.desc()], page, per_page)


def before(moment: datetime) -> Any:
    """The condition for lines that are older."""
    return SecurityEvent.at < moment


def _write(
    kind: str,
    user_id: int | None,
    address: str | None,
    detail: str,
    alike: str,
    network: str | None = None,
) -> None:
    """Begin a line, or raise the count of the one for the same minute, kind and `alike`.

    Where its addresses differ, it tells the `network` that they are of.
    """
    now = utc_now()
    text = f"{now:%Y-%m-%dT%H:%M}:{kind}:{alike}"
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


def _writing(insert_into: Any) -> Any:
    columns = ("at", "kind", "user_id", "address", "detail", "bucket")
    line = insert_into(SecurityEvent).values(
        {name: bindparam(name, type_=getattr(SecurityEvent, name).type) for name in columns}
    )
    new = line.excluded
    # A line stands for one account, or for several and none.
    user_id = case((SecurityEvent.user_id == new.user_id, new.user_id))
    network = bindparam("network", type_=SecurityEvent.address.type)
    address = case((SecurityEvent.address == new.address, new.address), else_=network)
    return line.on_conflict_do_update(
        index_elements=["bucket"],
        set_={"count": SecurityEvent.count + 1, "user_id": user_id, "address": address},
    )


_WRITE = upsert(_writing)
_LINES = (
    select(SecurityEvent.id)
    .where(SecurityEvent.kind == bindparam("kind"), SecurityEvent.at >= bindparam("minute"))
    .limit(bindparam("most"))
    .subquery()
)
_FAILURES = prepared(select(func.count()).select_from(_LINES))
