"""How many statements the shop's work takes: counted in this process, on the same database."""

from collections.abc import Mapping, Sequence
from random import Random
from statistics import mean

from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from tests.performance.load import Answer, Operation
from tests.performance.people import in_shop
from tests.performance.variants import uncached
from tests.performance.workloads import Workload
from tests.sql import watched

COUNTED = 12
"""Operations whose statements are counted."""
MAKERS = {"shop": create_app, "cheap_hashes": create_app, "uncached": uncached}


def count_statements(
    environ: Mapping[str, str], workloads: Sequence[Workload], dice: Random
) -> dict[str, float]:
    """How many statements an operation takes on average, the third time: what is kept ready, is.

    BEGIN and COMMIT are not counted. `dice` are those that the operations throw: they fall alike
    each time.
    """
    found = {}
    statements: list[str] = []
    for server, make in MAKERS.items():
        with (
            in_shop(environ, make) as app,
            watched(app, lambda sql, _given: statements.append(sql)),
        ):
            for workload in workloads:
                if workload.server == server and workload.is_counted:
                    found[workload.name] = _count(app, workload.operation, dice, statements)
    return found


def _count(app: Flask, operation: Operation, dice: Random, statements: list[str]) -> float:
    client, counts = app.test_client(use_cookies=False), []
    for _ in range(3):
        counts.clear()
        dice.seed(1)
        for _ in range(COUNTED):
            statements.clear()
            _carry_out(client, operation)
            counts.append(len(statements))
    return mean(counts)


def _carry_out(client: FlaskClient, operation: Operation) -> None:
    steps = operation()
    asked = next(steps)
    while True:
        answer = _answer(client, asked)
        try:
            asked = steps.send(answer)
        except StopIteration:
            return


def _answer(client: FlaskClient, asked: bytes) -> Answer:
    """What this process answers to a request that was made to be sent."""
    head, _, body = asked.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _version = first.split(" ")
    headers = [tuple(line.split(": ", 1)) for line in lines]
    response = client.open(path, method=method, headers=headers, data=body)
    told = "".join(f"\r\n{name}: {value}" for name, value in response.headers)
    return Answer(response.status_code, f"HTTP/1.1 {response.status}{told}".encode(), response.data)
