"""What is left of a body that was refused before it was read."""

import time
from contextlib import suppress
from typing import Any

from flask import Flask, Response, request
from gunicorn.http.errors import ParseException

SMALL = 64 * 1024
"""As much gunicorn takes by itself, after an answer."""
MOST = 16 * 1024 * 1024
SECONDS = 2.0
"""Whoever sends more than any upload may have, or takes longer, is cut off."""


def register(app: Flask) -> None:
    """Hang it behind every request."""
    app.after_request(take_rest)


def take_rest(response: Response) -> Response:
    """Once the answer is sent, read the rest, so that the answer also arrives.

    Closing a connection with something unread resets it, and a client or proxy that is still
    sending may then never see why (RFC 9112, section 9.6).
    """
    environ = request.environ
    if (request.content_length or 0) > SMALL and "gunicorn.socket" in environ:
        response.call_on_close(lambda: _read(environ["wsgi.input"], environ["gunicorn.socket"]))
    return response


def _read(body: Any, connection: Any) -> None:
    left, deadline = MOST, time.monotonic() + SECONDS
    before = connection.gettimeout()
    with suppress(OSError, ParseException):  # the client is gone, slow, or talks nonsense
        while left > 0 and (seconds := deadline - time.monotonic()) > 0:
            connection.settimeout(seconds)
            piece = body.read(SMALL)
            if not piece:
                break
            left -= len(piece)
    with suppress(OSError):
        connection.settimeout(before)
