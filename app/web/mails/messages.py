"""Makes the message of a mail: both forms, and the headers around them."""

import re
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

from flask import current_app

from app.domain.people import emails
from app.services.messages.mail_service import QueuedMail
from app.web.mails import rendering
from app.web.mails.shop import mail_shop
from app.web.mails.templates import NoSubject as NoSubject
from app.web.mails.templates import find_template

MAX_SUBJECT = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def sender_address() -> str:
    """The address that mails come from, which also gets notes about undelivered ones."""
    address: str = current_app.config["MAIL_FROM"]
    return address


def build(mail: QueuedMail) -> EmailMessage:
    """Render a mail and put it into a message. Each try of a mail makes the same Message-ID.

    Raises:
        NoSubject: what the mail is about no longer exists.
    """
    template, shop = find_template(mail.template), mail_shop()
    values = template.load({**mail.context, "recipient": mail.recipient})
    content = rendering.render(template.name, {**values, "shop": shop})
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = _address(shop.name, sender_address())
    message["To"] = _address("", emails.wire_form(mail.recipient))
    message["Subject"] = _one_line(content.subject)[:MAX_SUBJECT]
    message["Date"] = mail.created_at
    message["Message-ID"] = f"<{mail.message_id}@{sender_address().rpartition('@')[2]}>"
    # RFC 3834: no automatic answers, such as those of people on holiday.
    message["Auto-Submitted"] = "auto-generated"
    reply_to = _reply_address(shop.reply_to, mail.recipient)
    message["Reply-To"] = _address(shop.name, reply_to)
    if not template.is_receipt:
        message["List-Unsubscribe"] = f"<mailto:{quote(reply_to, safe='@')}?subject=unsubscribe>"
    message.set_content(content.text, cte="quoted-printable")
    message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = "en"
    return message


def _reply_address(address: str, recipient: str) -> str:
    """The shop's own address; MAIL_FROM where the message cannot hold it.

    Only a message to an address in other letters is sent in UTF-8 (SMTPUTF8).
    """
    own, to = emails.wire_form(address), emails.wire_form(recipient)
    return own if own.isascii() or not to.isascii() else sender_address()


def _address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(_one_line(name), local, domain)


def _one_line(text: Any) -> str:
    """Text for a header: a line break would begin another header."""
    return " ".join(_CONTROL.sub(" ", str(text)).split())
