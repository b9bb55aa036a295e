"""A server that is told to stop: it finishes what it has begun, and takes nothing new."""

import os
import signal
import socket
import time
from urllib.parse import urlsplit

import pytest

from tests import servers
from tests.servers import PATIENCE

pytestmark = [pytest.mark.processes, pytest.mark.only_on("sqlite")]
BEGUN = (
    b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\n\r\n{"
)


def refuses(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection(place, timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


def answer(caller: socket.socket) -> bytes:
    """What is sent until the connection is closed."""
    caller.settimeout(PATIENCE)
    return b"".join(iter(lambda: caller.recv(4096), b""))


def test_what_is_under_way_is_answered_while_new_callers_are_refused(app, environ):
    with servers.gunicorn(environ, workers=1) as (server, url):
        address = urlsplit(url)
        place = (address.hostname, address.port)
        with socket.create_connection(place) as begun:
            begun.sendall(BEGUN)
            assert servers.is_ready(url)  # by then the other is in a worker's hands

            server.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 20
            while not refuses(place):
                assert time.monotonic() < deadline, "New callers are taken in all the same."
                time.sleep(0.05)
            begun.sendall(b"}")

            assert answer(begun).startswith(b"HTTP/1.1 422")
        assert server.wait(40) == 0  # before gunicorn would end it by force


def test_who_waits_to_be_taken_in_is_answered_too(app, environ):
    asking = b"GET /healthz/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with servers.gunicorn(environ, workers=1) as (server, url):
        address = urlsplit(url)
        (worker,) = servers.children(server.pid)
        os.kill(worker, signal.SIGSTOP)
        waiting = [socket.create_connection((address.hostname, address.port)) for _ in range(5)]
        for caller in waiting:
            caller.sendall(asking)

        server.send_signal(signal.SIGTERM)
        time.sleep(0.5)  # the worker is told while it cannot listen
        os.kill(worker, signal.SIGCONT)
        answers = [answer(caller)[:12] for caller in waiting]

        for caller in waiting:
            caller.close()
    assert answers == [b"HTTP/1.1 200"] * 5
