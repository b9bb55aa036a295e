"""Sending of mails.

What is promised: each mail is sent at least once, unless its recipient is refused for good or two
days of tries fail; and it is sent twice only if its outcome was lost. The server's "250" and the
shop's own commit cannot be one step. If the worker dies between them, or the connection breaks before
the answer arrives, nobody knows whether the message was accepted. It is then sent once more, with the
same Message-ID, by which many mail programs show it once. After a second such loss it is not sent
again, but left to staff. So there is at most one duplicate.

How: `mail_service.begin` counts the try in a transaction of its own before the message is sent, and the
count is taken back when the server has certainly not accepted it.
"""

from email.message import EmailMessage
from functools import partial

from app.db.unit_of_work import end_session, in_transaction
from app.domain.people import emails
from app.gateways import mail
from app.gateways.mail import Bounce, OutcomeUnknown, TemporaryFailure
from app.jobs.kinds import Kind, NoRetry
from app.services.messages import mail_service
from app.services.messages.job_queue import ClaimedJob
from app.services.messages.mail_service import KIND, MOST_UNKNOWN, QueuedMail
from app.web.mails import messages

TRIES = 25
"""With the pauses below, the last one follows two days after the first."""
UNREADABLE = "The mail could not be made."
UNKNOWN = "The connection was lost each time after the mail was sent, so it may have arrived."


class NotSent(Exception):
    """The mail could not be sent yet; its row says why."""


def carry_out(job: ClaimedJob) -> None:
    """Render a mail, hand it to the mail server, and record how that ended.

    Raises:
        NotSent: it will be tried again.
        NoRetry: it may have arrived twice already.
    """
    is_last_try, mail_id = job.tries >= TRIES, job.body["mail"]
    try:
        begun = in_transaction(partial(_begin, mail_id))
    except Exception:
        if is_last_try:
            in_transaction(partial(mail_service.record_failure, mail_id, UNREADABLE))
        raise
    if begun is not None:
        _send(*begun, is_last_try)


def _begin(mail_id: int) -> tuple[QueuedMail, EmailMessage] | None:
    """Count the try, and make the message."""
    queued = mail_service.begin(mail_id)
    if queued is None:
        return None
    try:
        return queued, messages.build(queued)
    except messages.NoSubject as error:
        mail_service.record_failure(mail_id, str(error))
        return None


def _send(queued: QueuedMail, message: EmailMessage, is_last_try: bool) -> None:
    if queued.open_tries > MOST_UNKNOWN:
        in_transaction(partial(mail_service.record_failure, queued.id, UNKNOWN))
        raise NoRetry(UNKNOWN)
    end_session()  # no connection of the database waits for the mail server
    sender, recipient = messages.sender_address(), emails.wire_form(queued.recipient)
    try:
        mail.sender().send(message, sender, recipient)
    except Bounce as error:
        in_transaction(partial(mail_service.record_failure, queued.id, str(error)))
    except TemporaryFailure as error:
        _record(queued, error, is_last_try)
        raise NotSent(f"Mail {queued.id} could not be sent; its row says why.") from None
    else:
        in_transaction(partial(mail_service.record_sent, queued.id))


def _record(queued: QueuedMail, error: TemporaryFailure, is_last_try: bool) -> None:
    if is_last_try:
        in_transaction(partial(mail_service.record_failure, queued.id, str(error)))
        return
    is_known = not isinstance(error, OutcomeUnknown)
    in_transaction(partial(mail_service.record_retry, queued.id, str(error), is_known))


MAIL = Kind(KIND, carry_out, max_tries=TRIES, first_pause=30.0, longest_pause=3.0 * 3600)
