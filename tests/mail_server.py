"""A real mail server (aiosmtpd) with TLS, for tests that send over the wire."""

import asyncio
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from tests.servers import LOCALHOST, free_port

USER, PASSWORD = "shop", "not-a-secret"


class Delivery(NamedTuple):
    """A message that the server has accepted."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    was_encrypted: bool
    user: str


class Mailbox:
    """What the server does with recipients and messages.

    Put answers such as "450 busy" into `to_recipients` and `to_messages`; each is given once. Set
    `seconds` for a server that is slow to accept messages.
    """

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.to_recipients: list[str] = []
        self.to_messages: list[str] = []
        self.seconds = 0.0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.to_recipients:
            return self.to_recipients.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, session: Any, envelope: Envelope
    ) -> str:
        if self.to_messages:
            return self.to_messages.pop(0)
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        user = session.auth_data.login.decode() if session.auth_data else ""
        self.deliveries.append(
            Delivery(
                envelope.mail_from or "", tuple(envelope.rcpt_tos), message,  # type: ignore[arg-type]
                session.ssl is not None, user,
            )
        )  # fmt: skip
        await asyncio.sleep(self.seconds)
        return "250 OK"


class Certificate(NamedTuple):
    """A key and a certificate of localhost, which signs itself."""

    key: Path
    certificate: Path


def make_certificate(folder: Path) -> Certificate:
    """A certificate for this machine."""
    made = Certificate(folder / "key", folder / "certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-addext", "subjectAltName=DNS:localhost",
         "-keyout", made.key, "-out", made.certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


@contextmanager
def mail_server(
    mailbox: Mailbox,
    certificate: Certificate | None = None,
    port: int | None = None,
    **options: Any,
) -> Iterator[int]:
    """Serve a mailbox, with STARTTLS if there is a certificate; the port."""
    context = None
    if certificate:
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
    settings: Mapping[str, Any] = {
        "tls_context": context,
        "require_starttls": context is not None,
        "authenticator": _authenticate,
        "auth_require_tls": context is not None,
        "enable_SMTPUTF8": True,
        **options,
    }
    controller = Controller(mailbox, hostname=LOCALHOST, port=port or free_port(), **settings)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> Any:
    is_right = isinstance(login, LoginPassword) and login == LoginPassword(
        USER.encode(), PASSWORD.encode()
    )
    return AuthResult(success=is_right, auth_data=login if is_right else None, handled=False)
