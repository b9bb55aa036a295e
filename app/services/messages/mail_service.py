"""Mails: stored in the transaction of the change that they tell of, and sent by the worker.

`queue_mail` stores a row and a job of kind `mail`. The worker renders the row's template and hands
the message to the mail server outside any transaction. `begin` and `record_…` write down how each try
went, so that a message of which nobody knows whether it was sent is not sent a third time.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Executable, bindparam, delete, func, or_, select, update

from app.db.moments import seconds_from_now
from app.db.paging import Page, fetch_page
from app.db.prepared import run, upsert
from app.db.unit_of_work import after_commit
from app.domain.people import emails
from app.errors import NotFound
from app.extensions import db
from app.gateways import mail
from app.models import Mail, Order
from app.services.messages import job_queue

KIND = "mail"
"""The kind of the jobs that send mails."""
STORED = timedelta(days=30)
"""How long a mail's row is stored, and with it the address."""
STATUSES = ("waiting", "sent", "failed")
MAX_ERROR = 500
MOST_UNKNOWN = 2
"""After so many tries with unknown outcome a mail is not tried again."""
_COLUMNS = ("template", "key", "recipient", "recipient_key", "context", "message_id")


class QueuedMail(NamedTuple):
    """A mail that is to be sent now."""

    id: int
    template: str
    recipient: str
    context: Mapping[str, Any]
    message_id: str
    created_at: datetime
    open_tries: int
    """Tries of which nobody knows how they ended, this one included."""


def queue_mail(
    template: str, recipient: str, key: str, context: Mapping[str, Any] | None = None
) -> bool:
    """Store a mail in the caller's transaction; whether it is new.

    Args:
        key: names the occasion. Each recipient gets one mail of a template for it.
        context: ids of what the mail is about. No secrets: the worker makes links when it sends.
    """
    values = {
        "template": template,
        "key": key,
        "recipient": recipient,
        "recipient_key": emails.key(recipient),
        "context": dict(context or {}),
        "message_id": secrets.token_hex(16),
    }
    mail_id = run(_QUEUE, values).scalar()
    if mail_id is None:
        return False
    return job_queue.enqueue(KIND, f"mail {mail_id}", {"mail": mail_id, "template": template})


def begin(mail_id: int) -> QueuedMail | None:
    """Begin a try, and return the mail; None where it was sent or deleted meanwhile.

    A mail that failed is tried again, if staff run its job again.
    """
    statement = (
        update(Mail)
        .where(Mail.id == mail_id, Mail.status != "sent")
        .values(open_tries=Mail.open_tries + 1, status="waiting", ended_at=None)
        .returning(*(getattr(Mail, name) for name in QueuedMail._fields))
        .execution_options(synchronize_session=False)
    )
    row = db.session.execute(statement).one_or_none()
    return QueuedMail._make(row) if row else None


def record_sent(mail_id: int) -> None:
    """The server has accepted the mail."""
    _change(mail_id, status="sent", open_tries=0, ended_at=seconds_from_now(0), error=None)


def record_failure(mail_id: int, error: str) -> None:
    """The mail cannot be sent."""
    now = seconds_from_now(0)
    _change(mail_id, status="failed", open_tries=0, ended_at=now, error=error[:MAX_ERROR])


def record_retry(mail_id: int, error: str, is_outcome_known: bool = True) -> None:
    """The try failed; another follows.

    `is_outcome_known`: whether it is certain that the server has not accepted the mail.
    """
    tries = Mail.open_tries - (1 if is_outcome_known else 0)
    _change(mail_id, open_tries=tries, error=error[:MAX_ERROR])


def erase(email: str) -> None:
    """Delete the mails to an address, also those that wait."""
    _delete(Mail.recipient_key == emails.key(email))


def erase_account(user_id: int, email: str) -> None:
    """Delete the mails about an account and its orders, to any address, and those to its present one."""
    _delete(or_(Mail.recipient_key == emails.key(email), about_account(user_id)))


def about_account(user_id: int | ColumnElement[int]) -> ColumnElement[bool]:
    """The condition of mails about an account or its orders, whatever address it had then."""
    numbers = select(Order.number).where(Order.user_id == user_id)
    return or_(
        Mail.context["user"].as_integer() == user_id,
        Mail.context["order"].as_string().in_(numbers),
    )


def expired() -> ColumnElement[bool]:
    """The condition of mails that are old enough to be removed."""
    return Mail.created_at < seconds_from_now(-STORED.total_seconds())


def counts() -> dict[str, int]:
    """How many mails there are of each status."""
    query = select(Mail.status, func.count().label("number")).group_by(Mail.status)
    numbers = {row.status: row.number for row in db.session.execute(query)}
    return {status: numbers.get(status, 0) for status in STATUSES}


def list_mails(status: str | None, page: int, per_page: int) -> Page[Mail]:
    """The mails of a status, or all of them, newest first."""
    query = select(Mail).where(Mail.status == status) if status else select(Mail)
    return fetch_page(query, [Mail.id.desc()], page, per_page)


def get_mail(mail_id: int) -> Mail:
    """A mail; raises NotFound."""
    mail = db.session.get(Mail, mail_id) if 0 < mail_id < 2**63 else None
    if mail is None:
        raise NotFound("mail")
    return mail


def _delete(condition: ColumnElement[bool]) -> None:
    statement = delete(Mail).where(condition).returning(Mail.message_id)
    names = db.session.scalars(statement.execution_options(synchronize_session=False)).all()
    after_commit(partial(_remove_files, names))


def _remove_files(names: Sequence[str]) -> None:
    if folder := mail.folder():
        for name in names:
            folder.remove(name)


def _change(mail_id: int, **values: object) -> None:
    statement = update(Mail).where(Mail.id == mail_id, Mail.status != "sent").values(values)
    db.session.execute(statement.execution_options(synchronize_session=False))


def _queue_statement(insert_into: Any) -> Executable:
    columns = {name: bindparam(name, type_=getattr(Mail, name).type) for name in _COLUMNS}
    statement: Executable = (
        insert_into(Mail)
        .values(**columns, created_at=seconds_from_now(0))
        .on_conflict_do_nothing(index_elements=["recipient_key", "template", "key"])
        .returning(Mail.id)
    )
    return statement


_QUEUE = upsert(_queue_statement)
