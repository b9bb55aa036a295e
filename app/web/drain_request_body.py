"""Reads the rest of a body that was refused before it was read."""

import time
from contextlib import suppress
from typing import Any, BinaryIO

from flask import Flask, Response, request
from gunicorn.http.errors import ParseException

SMALL = 64 * 1024
"""gunicorn itself reads as much after an answer."""
MAX_BYTES = 16 * 1024 * 1024
MAX_SECONDS = 2.0
"""A client that sends more, or more slowly, is disconnected."""


def register(app: Flask) -> None:
    """Register `drain` with the app."""
    app.after_request(drain)


def drain(response: Response) -> Response:
    """Read the rest of the request's body after the answer is sent, so that the answer arrives.

    Closing a connection with unread data resets it, and a client or proxy that is still sending may
    then never read the answer (RFC 9112, section 9.6).
    """
    environ = request.environ
    if (request.content_length or 0) > SMALL and "gunicorn.socket" in environ:
        response.call_on_close(lambda: _read(environ["wsgi.input"], environ["gunicorn.socket"]))
    return response


# `connection` is gunicorn's socket. The app imports no network modules (tests/repository/test_supply.py).
def _read(body: BinaryIO, connection: Any) -> None:
    left, deadline = MAX_BYTES, time.monotonic() + MAX_SECONDS
    timeout = connection.gettimeout()
    with suppress(OSError, ParseException):  # the client is gone, slow, or sends no valid chunks
        while left > 0 and (seconds := deadline - time.monotonic()) > 0:
            connection.settimeout(seconds)
            chunk = body.read(SMALL)
            if not chunk:
                break
            left -= len(chunk)
    with suppress(OSError):
        connection.settimeout(timeout)
