"""Mails for staff: what was sent, waits or failed, and what each template looks like.

Mails hold links that reset passwords and open orders, so staff see their texts only in development,
where mails are files. In production the pages show addresses and states.
"""

from email import message_from_bytes, policy
from email.message import EmailMessage

from flask import Response, current_app
from marshmallow import fields
from marshmallow.validate import OneOf

from app.config import Production
from app.db.paging import MAX_DEPTH
from app.errors import NotFound
from app.gateways import mail as gateway
from app.models import Mail
from app.pages.admin.base import AdminBlueprint, admin_page, page_href, read_query
from app.schemas.paging import PageArgs
from app.services.messages import mail_service
from app.web.mails.rendering import RenderedMail
from app.web.mails.samples import render_sample
from app.web.mails.shop import mail_shop
from app.web.mails.templates import all_templates

blp = AdminBlueprint("mail", __name__, url_prefix="/admin/mail")
PER_PAGE = 50
POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; sandbox allow-popups"
)
"""For the HTML of a mail, whose styles stand in it: nothing else is loaded, and nothing runs."""


class MailArgs(PageArgs):
    """Which mails to list."""

    status = fields.String(load_default=None, validate=OneOf(mail_service.STATUSES))


ARGS = MailArgs(exclude=["per_page"])


@blp.get("")
def list_mails() -> Response:
    """The mails of the last weeks, newest first, and all templates."""
    args = read_query(ARGS)
    number = min(args["page"], MAX_DEPTH // PER_PAGE)
    return admin_page(
        "mails.html",
        results=mail_service.list_mails(args["status"], number, PER_PAGE),
        counts=mail_service.counts(),
        filters=args,
        titles={template.name: template.title for template in all_templates()},
        days=mail_service.STORED.days,
        page_href=page_href(ARGS),
    )


@blp.get("/<int:mail_id>")
def show_mail(mail_id: int) -> Response:
    """What became of a mail, and in development its text."""
    mail = mail_service.get_mail(mail_id)
    message = _message_of(mail)
    text = _part(message, "plain") if message else None
    headers = [(name, str(value)) for name, value in message.items()] if message else []
    return admin_page("mail.html", mail=mail, headers=headers, text=text)


@blp.get("/<int:mail_id>/html")
def show_html(mail_id: int) -> Response:
    """The HTML of a mail, in development."""
    message = _message_of(mail_service.get_mail(mail_id))
    if message is None:
        raise NotFound("mail")
    return _html(_part(message, "html"))


@blp.get("/templates/<template>")
def show_template(template: str) -> Response:
    """A template with made-up values: subject and text."""
    sample = _sample(template)
    titles = {each.name: each.title for each in all_templates()}
    return admin_page("mail_template.html", name=template, titles=titles, sample=sample)


@blp.get("/templates/<template>/html")
def show_template_html(template: str) -> Response:
    """A template's HTML with made-up values."""
    return _html(_sample(template).html)


def _sample(name: str) -> RenderedMail:
    if name not in {template.name for template in all_templates()}:
        raise NotFound("mail")
    return render_sample(name, mail_shop())


def _message_of(mail: Mail) -> EmailMessage | None:
    folder = gateway.folder()
    if folder is None or current_app.extensions["settings"].NAME == Production.NAME:
        return None
    data = folder.read(mail.message_id)
    return message_from_bytes(data, policy=policy.default) if data else None


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return str(body.get_content()) if body else ""


def _html(text: str) -> Response:
    response = Response(text, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response
