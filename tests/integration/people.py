"""Steps that the tests of people share: signing in, refreshing, looking at the tables."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

from flask import Flask
from werkzeug.test import TestResponse

from app.db.unit_of_work import in_transaction
from app.extensions import db
from tests import factories
from tests.factories import PASSWORD
from tests.integration.conftest import Caller
from tests.servers import PATIENCE

T = TypeVar("T")
EMAIL = "ann@example.com"


def inside(app: Flask, work: Callable[..., T], *args: Any, **facts: Any) -> T:
    """What `work` answers inside an application context."""
    with app.app_context():
        return work(*args, **facts)


def rows(app: Flask, table: Any) -> list[Any]:
    """All rows of a table, by id."""
    return inside(app, lambda: list(db.session.scalars(db.select(table).order_by(table.id))))


def only_row(app: Flask, table: Any) -> Any:
    """The one row of a table."""
    (row,) = rows(app, table)
    return row


def change(app: Flask, row: Any, **facts: Any) -> None:
    """Write to a row behind the shop's back."""
    inside(app, lambda: in_transaction(lambda: db.session.merge(type(row)(id=row.id, **facts))))


def login(
    caller: Caller, email: str = EMAIL, password: str = PASSWORD, **options: Any
) -> TestResponse:
    """One try to sign in."""
    body = {"email": email, "password": password}
    return caller.post("/api/auth/login", json=body, **options)


def signed_in_as(app: Flask, email: str = EMAIL, password: str = PASSWORD) -> Caller:
    """A caller with a session of an existing account."""
    response = login(Caller(app), email, password)
    assert response.status_code == 200, response.json
    return Caller(app, **bearer(response.json["access_token"]))


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def refresh(caller: Caller, token: str) -> TestResponse:
    """Trade a refresh token."""
    return caller.post("/api/auth/refresh", headers=bearer(token))


def me(caller: Caller, token: str) -> TestResponse:
    """Who this access token belongs to."""
    return caller.get("/api/users/me", headers=bearer(token))


def at_once(calls: Iterable[Callable[[], T]]) -> list[T]:
    """What the calls answer when each has a thread of its own and all start together."""
    todo = list(calls)
    start = Barrier(len(todo))

    def run(call: Callable[[], T]) -> T:
        start.wait(PATIENCE)
        return call()

    with ThreadPoolExecutor(len(todo)) as threads:
        return list(threads.map(run, todo))


def patient(call: Callable[[], TestResponse]) -> Callable[[], TestResponse]:
    """The same request, sent again while the answer is 503: on a busy machine more callers than the
    shop has connections may have to come again, as its Retry-After tells them."""

    def insist() -> TestResponse:
        deadline = time.monotonic() + PATIENCE
        while (answer := call()).status_code == 503 and time.monotonic() < deadline:
            time.sleep(0.1)
        return answer

    return insist


def statuses(responses: Iterable[TestResponse]) -> list[int]:
    """The status codes of answers, sorted."""
    return sorted(response.status_code for response in responses)


def make_user(app: Flask, **facts: Any) -> Any:
    """An account, EMAIL's unless said otherwise."""
    return inside(app, factories.user, **{"email": EMAIL, **facts})
