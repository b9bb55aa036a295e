"""Figures of several processes: real gunicorns, killed and hung up; their sums go on."""

import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests import servers
from tests.figures import Figures, figure, read
from tests.integration.conftest import empty
from tests.servers import PATIENCE

pytestmark = [
    pytest.mark.processes,
    pytest.mark.only_on("sqlite"),  # the figures do not depend on the database
]
FACTS = {"method": "GET", "route": "/healthz/live", "status": 200}


@pytest.fixture(scope="module")
def gunicorn(shared_app, environ):
    """Gunicorn with two workers, and where it listens: whatever happens to its workers, it goes on."""
    empty(shared_app)
    with servers.gunicorn(environ, workers=2) as running:
        yield running


def figures(url: str) -> Figures:
    """What any one of the workers tells."""
    return read(requests.get(f"{url}/metrics", timeout=PATIENCE).text)


def ask(url: str, times: int) -> None:
    """So many requests, each on a connection of its own, so that all workers get some."""
    for _ in range(times):
        requests.get(f"{url}/healthz/live", timeout=PATIENCE)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds; a server that is busy may take its time."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "It never came to hold."
        time.sleep(0.05)


def two_work(server, gone: set[int]) -> Callable[[], bool]:
    def hold() -> bool:
        found = set(servers.children(server.pid))
        return len(found) == 2 and not found & gone

    return hold


def files(server) -> list[Path]:
    """What the server keeps its figures in."""
    memory = Path("/dev/shm")  # noqa: S108 - only looked into
    home = memory if memory.is_dir() else Path(tempfile.gettempdir())
    folders = home.glob(f"shopswift-figures-{server.pid}-*")
    return [file for folder in folders for file in folder.iterdir()]


def test_counts_add_up_and_outlive_workers_that_are_killed(gunicorn):
    server, url = gunicorn
    before = figures(url)
    ask(url, 40)
    first = set(servers.children(server.pid))

    for victim in first:
        os.kill(victim, signal.SIGKILL)
    eventually(two_work(server, gone=first))
    eventually(lambda: servers.is_ready(url))
    ask(url, 20)

    told = [figures(url) for _ in range(6)]
    for name, facts in (
        ("shop_requests_total", FACTS),
        ("shop_request_seconds_count", {"route": FACTS["route"]}),
    ):
        assert {figure(one, name, **facts) for one in told} == {figure(before, name, **facts) + 60}
    assert {figure(one, "shop_workers") for one in told} == {2}
    assert {figure(one, "shop_database_connections", state="size") for one in told} == {16}


def test_what_a_killed_worker_had_under_way_is_under_way_no_more(gunicorn):
    server, url = gunicorn
    place = urlsplit(url)
    head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    callers = [socket.create_connection((place.hostname, place.port)) for _ in range(4)]
    for caller in callers:
        caller.sendall(f"{head}Content-Length: 9\r\n\r\n{{".encode())  # the rest never comes
    eventually(lambda: figure(figures(url), "shop_requests_in_flight") == 5)

    first = set(servers.children(server.pid))
    for victim in first:
        os.kill(victim, signal.SIGKILL)
    eventually(two_work(server, gone=first))
    eventually(lambda: servers.is_ready(url))
    for caller in callers:
        caller.close()

    assert figure(figures(url), "shop_requests_in_flight") == 1


def test_a_hangup_starts_new_workers_who_go_on_counting_in_as_many_files(gunicorn):
    server, url = gunicorn
    counted = figure(figures(url), "shop_requests_total", **FACTS)
    for _ in range(3):
        before = set(servers.children(server.pid))
        ask(url, 10)
        server.send_signal(signal.SIGHUP)
        eventually(two_work(server, gone=before))

    assert figure(figures(url), "shop_requests_total", **FACTS) == counted + 30
    # Counters, gauges and histograms: of the parent, and of at most two workers of each time.
    assert 6 <= len(files(server)) <= 3 * 5


def test_the_files_go_with_the_server(app, environ):
    with servers.gunicorn(environ, workers=2) as (server, _url):
        kept = files(server)

        server.terminate()
        server.wait(PATIENCE)

    assert kept != []
    assert files(server) == []
