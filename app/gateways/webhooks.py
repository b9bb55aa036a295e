"""Sends webhooks to receivers that staff name, and to none inside the shop's own network.

The name in a URL is looked up at each delivery. `ssrfguard` refuses it if any of its addresses is private,
loopback, link-local or reserved, in whatever spelling, and connects to the address that it judged, so a name
that changes in between leads nowhere else (OWASP, Server-Side Request Forgery Prevention). Redirects are
not followed, because their target is not what staff entered.

Each request has a connection of its own, which a timer closes after WHOLE_SECONDS: the timeouts of sockets
begin anew with each byte, so a receiver that sends one now and then could hold a worker for days.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Timer
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import ssrfguard
from flask import Flask, current_app
from ssrfguard import Policy, SSRFGuardError, Target

CONNECT_SECONDS, WHOLE_SECONDS = 2.0, 10.0
"""Until a receiver is connected, and until its answer has to be there."""
MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read."""
_ALL_PORTS = frozenset(range(1, 2**16))
_PUBLIC = Policy(allowed_schemes=frozenset({"https"}), allowed_ports=_ALL_PORTS)
_ANY = Policy(allowed_ports=_ALL_PORTS, allowed_networks=("0.0.0.0/0", "::/0"))  # type: ignore[arg-type]


class Reply(NamedTuple):
    """How a receiver answered."""

    status: int
    milliseconds: int


class NoReply(Exception):
    """The receiver gave no answer, or must not be asked; the message is one line for staff."""


class WebhookSender(Protocol):
    """Sends one request."""

    def send(self, url: str, body: str, headers: Mapping[str, str]) -> Reply:
        """POST a body.

        Raises:
            NoReply: there was no answer in time, or the address is not allowed.
        """


class HttpSender:
    """Sends over HTTPS to public addresses; in development, where `allow_private` says so, to any."""

    def __init__(self, allow_private: bool = False, authorities: str | None = None) -> None:
        self._policy = _ANY if allow_private else _PUBLIC
        self._tls = ssl.create_default_context(cafile=authorities)

    def send(self, url: str, body: str, headers: Mapping[str, str]) -> Reply:
        """POST a body.

        Raises:
            NoReply: there was no answer in time, or the address is not allowed.
        """
        start = time.monotonic()
        try:
            target = self._policy.check_url(url)
            with self._connected(target) as connection:
                connection.request("POST", _path(url), body.encode(), dict(headers))
                answer = connection.getresponse()
                answer.read(MAX_ANSWER)
            if time.monotonic() - start >= WHOLE_SECONDS:
                raise TimeoutError  # what was read ends where the timer closed the connection
        except (SSRFGuardError, OSError, http.client.HTTPException, ValueError) as error:
            raise NoReply(_reason(error, time.monotonic() - start)) from None
        return Reply(answer.status, round((time.monotonic() - start) * 1000))

    @contextmanager
    def _connected(self, target: Target) -> Iterator[http.client.HTTPConnection]:
        addresses = ssrfguard.resolve(target, policy=self._policy)
        plain = ssrfguard.connect(addresses, policy=self._policy, timeout=CONNECT_SECONDS)
        with plain, _closed_after(plain, WHOLE_SECONDS):
            plain.settimeout(WHOLE_SECONDS)
            connection = http.client.HTTPConnection(target.host, target.port)
            if target.scheme == "https":
                connection = http.client.HTTPSConnection(target.host, target.port)
                connection.sock = self._tls.wrap_socket(plain, server_hostname=target.host)
            else:
                connection.sock = plain
            try:
                yield connection
            finally:
                connection.close()


@contextmanager
def _closed_after(connection: socket.socket, seconds: float) -> Iterator[None]:
    """End the connection after so many seconds, whatever is being read then."""
    descriptor = socket.socket(fileno=socket.dup(connection.fileno()))
    timer = Timer(seconds, _shut_down, (descriptor,))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        descriptor.close()


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        connection.shutdown(socket.SHUT_RDWR)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _reason(error: Exception, seconds: float) -> str:
    if isinstance(error, SSRFGuardError):
        return "Its address is not a public one."
    if isinstance(error, ssl.SSLError) and seconds < WHOLE_SECONDS:
        return "Its certificate cannot be verified."
    if isinstance(error, TimeoutError) or seconds >= WHOLE_SECONDS:
        return "It did not answer in time."
    if isinstance(error, socket.gaierror):
        return "Its name is not known."
    if isinstance(error, OSError):
        return "It cannot be reached."
    return "Its answer is not HTTP."


def register(app: Flask) -> None:
    """Create the sender of the app."""
    app.extensions["webhook_sender"] = HttpSender(app.config["WEBHOOK_ALLOW_PRIVATE"])


def sender() -> WebhookSender:
    """The sender of the running app."""
    webhook_sender: WebhookSender = current_app.extensions["webhook_sender"]
    return webhook_sender
