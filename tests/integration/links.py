"""Steps of tests about links in mails: let the worker send them, and read the newest one."""

import re
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from flask import Flask

from app.jobs import KINDS, RELAYS
from app.jobs.worker import Worker
from app.models import Mail
from tests.integration.people import rows


def work(app: Flask) -> None:
    """Do all that is due."""
    Worker(app, KINDS, (), relays=RELAYS).drain()


def mails(app: Flask, template: str) -> list[Mail]:
    """The mails of a template, in their order, after the worker has sent them."""
    work(app)
    return [row for row in rows(app, Mail) if row.template == template]


def text_of(app: Flask, mail: Mail) -> str:
    """What a mail that was sent says."""
    path = Path(app.config["MAIL_FOLDER"]) / f"{mail.message_id}.eml"
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def newest_link(app: Flask, template: str) -> str:
    """The path and query of the link in the newest mail of a template."""
    text = text_of(app, mails(app, template)[-1])
    (address,) = re.findall(r"\S+[?]token=\S+", text)
    url = urlsplit(address)
    return f"{url.path}?{url.query}"


def newest_token(app: Flask, template: str) -> str:
    """The token in that link."""
    return parse_qs(urlsplit(newest_link(app, template)).query)["token"][0]
