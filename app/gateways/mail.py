"""Sending of mail: a protocol, SMTP (MAIL_URL), and a folder of files where there is no server.

smtplib raises its exceptions for the step that failed. They are sorted here by what the sender of a
message has to do: try again (`TemporaryFailure`), give the recipient up (`Bounce`), or take into
account that the message may have arrived (`OutcomeUnknown`).
"""

import os
import re
import smtplib
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email import policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from flask import Flask, current_app

TIMEOUT = 10.0
"""Seconds that the server may take for each step but the last."""
DATA_TIMEOUT = 120.0
"""Seconds that the server may take to accept the message. See `_send_data`."""
PORTS = {"smtp": 587, "smtps": 465}
_FORM = "it must be a URL like smtp://user:password@host:587"
SUFFIX = ".eml"


class TemporaryFailure(Exception):
    """The message was not accepted, and may be later: the server is away, or asks to wait."""


class OutcomeUnknown(TemporaryFailure):
    """The connection was lost after the message was sent and before the server answered."""


class Bounce(Exception):
    """The server refuses the recipient for good (5xx in answer to RCPT)."""


class MailServer(NamedTuple):
    """What MAIL_URL says."""

    host: str
    port: int
    user: str
    password: str
    is_encrypted: bool
    """TLS from the first byte."""
    starts_tls: bool


class MailUrlError(ValueError):
    """MAIL_URL cannot be used; the message repeats none of its parts, which may be secret."""


class MailSender(Protocol):
    """Where messages go."""

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Hand a message over. `sender` and `recipient` are addresses with ASCII domains.

        Raises:
            TemporaryFailure: try again later. One that is `OutcomeUnknown` may have arrived.
            Bounce: the recipient does not exist.
        """


def read_url(url: str) -> MailServer:
    """Read `smtp://user:password@host:587` or `smtps://…:465`.

    Over `smtp:` STARTTLS is required, unless the query says `?starttls=no`. A password is sent
    unencrypted only to this machine.

    Raises:
        MailUrlError: the URL cannot be read, would send the password unencrypted, or has letters in
            its user or password that `smtplib` cannot send.
    """
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query, keep_blank_values=True)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise MailUrlError(_FORM) from None
    choice = query.pop("starttls", ["yes"])
    if not parts.hostname or query or parts.path not in ("", "/") or parts.fragment:
        raise MailUrlError(_FORM)
    if choice not in (["yes"], ["no"]):
        raise MailUrlError("starttls is yes or no")
    is_encrypted = parts.scheme == "smtps"
    starts_tls = not is_encrypted and choice == ["yes"]
    is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.username and not (is_encrypted or starts_tls or is_local):
        raise MailUrlError("the password would be sent unencrypted")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isascii():
        raise MailUrlError("the user and the password must be ASCII")
    return MailServer(parts.hostname, port, user, password, is_encrypted, starts_tls)


class SmtpSender:
    """Sends each message over a connection of its own."""

    def __init__(self, server: MailServer, own_name: str) -> None:
        self._server, self._own_name = server, own_name

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """See `MailSender.send`. The server's certificate is verified."""
        is_international = not (sender + recipient).isascii()
        rules = policy.SMTP.clone(utf8=is_international)
        with self._connection() as smtp:
            data = message.as_bytes(policy=rules)
            if is_international and not smtp.has_extn("smtputf8"):
                raise Bounce("The mail server cannot send to such an address (SMTPUTF8).")
            options = ["SMTPUTF8", "BODY=8BITMIME"] if is_international else []
            _expect(smtp.mail(sender, options), "MAIL", 250)
            _expect_recipient(smtp.rcpt(recipient))
            _send_data(smtp, data)
            with suppress(smtplib.SMTPException, OSError):  # the message is the server's by now
                smtp.quit()

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        try:
            with _closing(self._connect()) as smtp:
                yield smtp
        except (TemporaryFailure, Bounce):
            raise
        except smtplib.SMTPResponseException as error:
            raise TemporaryFailure(_answer(error.smtp_code, error.smtp_error)) from error
        except smtplib.SMTPException as error:
            raise TemporaryFailure(f"The mail server: {type(error).__name__}.") from error
        except ssl.SSLCertVerificationError as error:
            words = f"The certificate of the mail server is refused: {error.verify_message}."
            raise TemporaryFailure(words) from error
        except OSError as error:
            words = f"The mail server cannot be reached: {type(error).__name__}."
            raise TemporaryFailure(words) from error
        except Exception as error:  # before the message was sent: `_send_data` has its own
            raise TemporaryFailure(f"The mail cannot be sent: {type(error).__name__}.") from error

    def _connect(self) -> smtplib.SMTP:
        server, context = self._server, ssl.create_default_context()
        connect: Callable[..., smtplib.SMTP] = smtplib.SMTP
        if server.is_encrypted:
            connect = partial(smtplib.SMTP_SSL, context=context)
        smtp = connect(server.host, server.port, self._own_name, timeout=TIMEOUT)
        try:
            smtp.ehlo_or_helo_if_needed()
            if server.starts_tls:
                smtp.starttls(context=context)
                smtp.ehlo()
            if server.user:
                smtp.login(server.user, server.password)
        except BaseException:
            smtp.close()
            raise
        return smtp


class FolderSender:
    """Writes each message into a file, which is named by its Message-ID: a second try replaces it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """See `MailSender.send`. Only the shop's own user can read the file."""
        name = message["Message-ID"].strip("<>").partition("@")[0]
        rules = policy.SMTP.clone(utf8=not (sender + recipient).isascii())
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(self._folder / f"{name}{SUFFIX}", message.as_bytes(policy=rules))
        except OSError as error:
            words = f"The folder of mails cannot be written to: {type(error).__name__}."
            raise TemporaryFailure(words) from error

    def read(self, name: str) -> bytes | None:
        """The message with this Message-ID, up to the @; None if there is none."""
        if not name.isalnum():
            return None
        with suppress(FileNotFoundError):
            return (self._folder / f"{name}{SUFFIX}").read_bytes()
        return None

    def remove(self, name: str) -> None:
        """Remove the message with this Message-ID, if it is there."""
        (self._folder / f"{name}{SUFFIX}").unlink(missing_ok=True)

    def remove_before(self, moment: datetime) -> int:
        """Remove the files that were written before `moment`; how many."""
        count = 0
        for path in self._folder.glob(f"*{SUFFIX}"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < moment.timestamp():
                    path.unlink()
                    count += 1
        return count


def register(app: Flask) -> None:
    """Create the sender of the app."""
    url = app.config["MAIL_URL"]
    if url:
        own_name = urlsplit(app.config["SHOP_URL"]).hostname or "localhost"
        app.extensions["mail"] = SmtpSender(read_url(url), own_name)
    else:
        app.extensions["mail"] = FolderSender(Path(app.config["MAIL_FOLDER"]))


def sender() -> MailSender:
    """The sender of the running app."""
    gateway: MailSender = current_app.extensions["mail"]
    return gateway


def folder() -> FolderSender | None:
    """The folder that mails are written to; None where they are sent."""
    gateway = sender()
    return gateway if isinstance(gateway, FolderSender) else None


@contextmanager
def _closing(smtp: smtplib.SMTP) -> Iterator[smtplib.SMTP]:
    # `with smtp` would end with QUIT, whose failure would hide whether the message was accepted.
    try:
        yield smtp
    finally:
        smtp.close()


def _expect(answer: tuple[int, bytes], step: str, code: int) -> None:
    if answer[0] != code:
        raise TemporaryFailure(f"{step}: {_answer(*answer)}")


def _expect_recipient(answer: tuple[int, bytes]) -> None:
    code = answer[0]
    if code in (250, 251):
        return
    if 500 <= code < 600 and not _is_curable(*answer):
        raise Bounce(_answer(*answer))
    raise TemporaryFailure(f"RCPT: {_answer(*answer)}")


def _is_curable(code: int, text: bytes) -> bool:
    """Whether a refusal of a recipient may end without a change of theirs.

    530 asks the shop to sign in, and 552 means a full mailbox. An enhanced code 5.7.x (RFC 3463) is
    about a policy, such as one against the shop's network.
    """
    return code in (530, 552) or text.startswith(b"5.7.")


def _send_data(smtp: smtplib.SMTP, data: bytes) -> None:
    """Send the message, and wait for the answer longer than in any other step.

    Servers scan a message before they accept it. RFC 5321 (4.5.3.2.6) asks for 10 minutes, as a client
    that hangs up sooner sends again what was accepted. Here it is two, since a thread of the worker
    waits as long.
    """
    _expect(smtp.docmd("DATA"), "DATA", 354)
    if smtp.sock is not None:
        smtp.sock.settimeout(DATA_TIMEOUT)
    try:
        smtp.send(re.sub(rb"(?m)^\.", b"..", data) + b".\r\n")  # RFC 5321, 4.5.2
        _expect(smtp.getreply(), "DATA", 250)
    except (TemporaryFailure, smtplib.SMTPResponseException):
        raise
    except Exception as error:
        words = f"The mail server did not answer after the message: {type(error).__name__}."
        raise OutcomeUnknown(words) from error


def _answer(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"The mail server answered {code} {' '.join(words.split())}"[:400]


def _write(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:  # of mode 0600
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
