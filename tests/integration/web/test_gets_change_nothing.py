"""Safe methods are safe (RFC 9110, section 9.2.1): no GET changes a row of any table.

Cookies are the caller's own and no part of the shop: a first page gives a visitor theirs.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from app.db.unit_of_work import in_transaction
from app.domain.people.actor import ANONYMOUS
from app.extensions import db
from app.models import Base
from app.pages.cookies import CART
from app.services.imports import import_jobs
from tests.integration.access.api_routes import API_ROUTES
from tests.integration.access.page_routes import PAGE_ROUTES
from tests.integration.access.table import CALLERS, Route
from tests.integration.access.world import World
from tests.integration.people import inside
from tests.integration.shopping import fill

EXCEPTIONS = {
    "/admin/export.csv": {"security_events"},
    "/admin/promotions/<promotion_id>/codes/export.csv": {"security_events"},
    "/admin/reports/sales.csv": {"security_events"},
    "/admin/reports/taxes.csv": {"security_events"},
    "/account/export": {"security_events"},
    "/api/users/me/export": {"security_events"},
    "/api/events": {"events", "jobs", "mails", "webhook_deliveries"},
}
"""Routes whose GET changes tables: who exported the catalogue, codes, a report or an account's data is logged, as
RFC 9110 allows, and the feed numbers what is committed, as the worker would a moment later, which queues its mails
and webhooks."""
GETS = [route for route in (*API_ROUTES, *PAGE_ROUTES) if route.method == "GET"]


def all_rows() -> dict[str, list[Any]]:
    tables = Base.metadata.sorted_tables
    rows = {table.name: sorted(db.session.execute(db.select(table)), key=str) for table in tables}
    db.session.rollback()
    return rows


def guest(world: World, route: Route) -> Iterator[int]:
    """Somebody without an account who has a cart."""
    token = fill(world.caller("anonymous"), world.product).headers["X-Cart-Token"]
    yield 0
    client = world.app.test_client()
    client.set_cookie(CART, token)
    for method in ("GET", "HEAD"):
        response = client.open(world.path(route), method=method, headers={"X-Cart-Token": token})
        yield response.status_code
        response.close()


@pytest.mark.parametrize("route", GETS, ids=str)
def test_no_get_changes_a_row(app, world, route):
    visits = guest(world, route)
    next(visits)
    changed = EXCEPTIONS.get(route.rule, set())
    before = inside(app, all_rows)

    statuses = {caller: world.request_as(route, caller).status for caller in CALLERS}
    statuses["guest"], statuses["guest, HEAD"] = visits

    after = inside(app, all_rows)
    assert all(status < 500 for status in statuses.values()), statuses
    assert {table for table in after if after[table] != before[table]} == changed


@pytest.mark.parametrize("status", ["checking", "importing"])
def test_no_look_at_an_import_changes_a_row(app, world, status):
    if status == "importing":
        inside(app, lambda: in_transaction(lambda: _check_and_start(world.job_id)))
    (route,) = [route for route in GETS if route.rule == "/admin/import/<job_id>"]
    before = inside(app, all_rows)

    assert world.request_as(route, "admin").status == 200
    assert inside(app, all_rows) == before
    assert inside(app, import_jobs.get, world.job_id).status == status


def _check_and_start(job_id: int) -> None:
    source = import_jobs.source_of(job_id)
    import_jobs.step(job_id, source, "USD")
    import_jobs.start(ANONYMOUS, job_id)
