"""Measures how long others wait for a list while somebody floods the sign-in.

`python -m tests.reliability.sign_in_flood [--seconds 10]` takes about a minute. It serves a shop of
200 products by a real gunicorn with one process for each core, PostgreSQL, Redis and the password
hashes of production, and asks for a list at a steady pace, whether or not the last one has been
answered: first alone, then in two floods.

Each flood sends 60 sign-ins and 60 registrations at once, every 5 seconds:

- one address: as one client does, whom the limits by address hold off after a while
- many addresses: each request from an address of its own, so that no such limit is met

Exit code 1: during a flood p95 of the list was 4 times its own or more.
"""

import argparse
import http.client
import json
import multiprocessing
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

from app.config import usable_cores
from tests import roles, servers
from tests.performance.setting import flask

ALLOWED = 4
EACH = 60
"""Sign-ins of a burst, and as many registrations."""
PAUSE_SECONDS = 5.0
"""From one burst to the next."""
PACE_SECONDS = 0.025
"""From one list to the next."""
TIMEOUT = 60
LIST = "/api/products?sort=name"
PASSWORD = "correct horse battery"
SETTINGS = {
    "FLASK_ENV": "production",
    "FLASK_APP": "manage.py",
    "SECRET_KEY": "k2H9wq-zX7vR4tB8nM1cL6pJ3sD5fG0a",
    "JWT_SECRET_KEY": "Qw8eR5tY2uI9oP4aS7dF1gH6jK3lZ0xC",
    "TRUSTED_HOSTS": "127.0.0.1",
    "TRUSTED_PROXIES": "1",
    "LOG_LEVEL": "ERROR",
}


class Flood(NamedTuple):
    """Bursts of requests that hash a password."""

    name: str
    is_spread: bool
    """Whether each request comes from an address of its own."""


FLOODS = (Flood("one address", False), Flood("many addresses", True))


def main() -> int:
    """Measure, print a line for each flood, and say by the exit code whether lists waited."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    seconds = parser.parse_args().seconds
    with shop() as port:
        send(port, LIST)
        own = p95(measure(port, seconds))
        report(f"alone: p95 {own * 1000:.1f} ms")
        ratios = []
        for flood in FLOODS:
            times, statuses = under(flood, port, seconds)
            ratios.append(p95(times) / own)
            report(
                f"{flood.name}: p95 {p95(times) * 1000:.1f} ms, longest {max(times):.2f} s, "
                f"{ratios[-1]:.1f} times; answers to the flood: {dict(sorted(statuses.items()))}"
            )
    return int(max(ratios) >= ALLOWED)


def report(line: str) -> None:
    """One line of the outcome."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def shop() -> Iterator[int]:
    """The port of a shop that was seeded and serves."""
    with ExitStack() as stack:
        server = stack.enter_context(servers.postgresql())
        url = stack.enter_context(servers.database(server, "shopswift_flood"))
        redis = stack.enter_context(servers.redis_server())
        environ = {**SETTINGS, **roles.settings(url), "REDIS_URL": redis}
        flask(environ, "db", "upgrade")
        flask(environ, "seed-db", "--in-production", "--products=200")
        _process, address = stack.enter_context(servers.gunicorn(environ, usable_cores()))
        yield int(address.rpartition(":")[2])


def measure(port: int, seconds: float) -> list[float]:
    """The seconds that each list took, asked for at a steady pace."""

    def ask(due: float, address: str) -> float:
        with suppress(TimeoutError):  # then it took as long as that
            status = send(port, LIST, address=address)
            if status != 200:
                raise RuntimeError(f"A list was answered with {status}.")
        return time.monotonic() - due  # so that waiting for a free thread counts, too

    answers: list[Future[float]] = []
    due = time.monotonic()
    until = due + seconds
    with ThreadPoolExecutor(32) as pool:
        while due < until:
            answers.append(pool.submit(ask, due, f"203.0.113.{len(answers) % 250}"))
            due += PACE_SECONDS
            time.sleep(max(0.0, due - time.monotonic()))
    return [answer.result() for answer in answers]


def under(flood: Flood, port: int, seconds: float) -> tuple[list[float], Counter[int]]:
    """The seconds that each list took during a flood, and how the flood was answered."""
    answers: Any = multiprocessing.Queue()
    # A process of its own, so that its threads do not slow down the one that measures.
    flooding = multiprocessing.Process(target=_flood, args=(flood, port, seconds, answers))
    flooding.start()
    times = measure(port, seconds)
    statuses = answers.get(timeout=4 * TIMEOUT)
    flooding.join()
    return times, statuses


def _flood(flood: Flood, port: int, seconds: float, answers: Any) -> None:
    statuses: Counter[int] = Counter()
    threads, number = [], 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for _ in range(EACH):
            for path in ("/api/auth/login", "/api/auth/register"):
                number += 1
                threads.append(
                    threading.Thread(target=_hash, args=(flood, port, path, number, statuses))
                )
                threads[-1].start()
        time.sleep(PAUSE_SECONDS)
    for thread in threads:
        thread.join()
    answers.put(statuses)


def _hash(flood: Flood, port: int, path: str, number: int, statuses: Counter[int]) -> None:
    address = f"198.18.{number // 250}.{number % 250}" if flood.is_spread else "198.51.100.1"
    body = {"email": f"{flood.is_spread}{number}@example.com", "password": PASSWORD}
    try:
        statuses[send(port, path, body, address)] += 1
    except OSError:
        statuses[0] += 1


def send(
    port: int, path: str, body: dict[str, str] | None = None, address: str = "203.0.113.1"
) -> int:
    """The status of one request, on a connection of its own, as a proxy passes it on."""
    connection = http.client.HTTPConnection(servers.LOCALHOST, port, timeout=TIMEOUT)
    headers = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}
    try:
        if body is None:
            connection.request("GET", path, headers=headers)
        else:
            headers["Content-Type"] = "application/json"
            connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def p95(times: list[float]) -> float:
    """What one in twenty took longer than."""
    return statistics.quantiles(times, n=20)[-1]


if __name__ == "__main__":
    sys.exit(main())
