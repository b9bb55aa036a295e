"""A streaming replica: lists are read from it while it is new enough, and nothing else ever is."""

import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

from app import create_app
from app.config import Testing
from app.db import replica
from app.extensions import db
from app.observability import metrics
from app.services.cache.catalogue_cache import ProcessCache
from tests import factories, figures, roles, servers
from tests.integration.conftest import Caller, migrated, signed_in
from tests.integration.people import at_once

pytestmark = pytest.mark.processes

TOLD = {**servers.FORGETFUL, "log_statement": "all"}
NEVER = "SELECT system_identifier"  # how far a server is: no reading of the shop's
FRESH_SECONDS = 1.0
"""By how much lists may trail, cache included."""


class Pair(NamedTuple):
    """A server and its replica, and the shop on them."""

    primary: servers.PostgreSQL
    replica: servers.PostgreSQL
    shop: Caller
    staff: Caller


@pytest.fixture(scope="module")
def cluster():
    """A primary, a replica that follows it, and an empty shop's database."""
    with running() as primary, running(following=primary) as replica:
        servers.create_database(primary.url, "shop")
        migrated(database_of(primary))
        yield primary, replica


@contextmanager
def running(**kind) -> Iterator[servers.PostgreSQL]:
    """A server that logs what it is asked; in a folder that PostgreSQL's own user may enter."""
    with tempfile.TemporaryDirectory(prefix="shopswift-pg-") as folder:
        server = servers.PostgreSQL(Path(folder), TOLD, **kind)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def pair(cluster):
    """The shop as a process that has just begun, and a signed-in admin."""
    app = shop_on(*cluster)
    yield Pair(*cluster, Caller(app), signed_in(app, role="admin"))
    close(app)


def shop_on(primary, replica, **more):
    settings = {
        **roles.settings(database_of(primary)),
        "DATABASE_REPLICA_URL": database_of(replica),
        "RATELIMIT_ENABLED": "false",
        "LOG_LEVEL": "ERROR",
    }
    return create_app(Testing({**settings, **more}))


def close(app):
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def database_of(server):
    return servers.database_url(server.url, "shop")


def made(pair, **facts):
    """A new product."""
    with pair.shop.app.app_context():
        return factories.product(**facts)


@contextmanager
def asked(server) -> Iterator[list[str]]:
    """What a server is asked of the shop's tables along the block."""
    before, found = server.log.stat().st_size, []
    yield found
    with server.log.open("rb") as log:
        log.seek(before)
        lines = log.read().decode("utf-8", "replace").splitlines()
    found += [line for line in lines if "FROM " in line and NEVER not in line]


_numbers = itertools.count(1_000_000)


def anew(path):
    """The path, with a question that nobody asked before, so that no list is kept for it."""
    return f"{path}{'&' if '?' in path else '?'}max_price={next(_numbers)}"


def names(response):
    assert response.status_code == 200
    return [item["name"] for item in response.json["items"]]


def until(holds, seconds=15):
    """Wait for what comes about sooner or later, also on a busy machine."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def reads_from_replica(pair, path):
    """Ask for a list until the replica serves it: it may be a little behind, or slow, at first."""

    def served():
        with asked(pair.replica) as there, asked(pair.primary) as here:
            assert pair.shop.get(anew(path)).status_code == 200
        return any("FROM products" in line for line in there) and not here

    until(served)
    return True


@contextmanager
def paused(replica):
    """The replica takes in nothing new along the block."""
    servers.run_sql(replica.superuser_url, "SELECT pg_wal_replay_pause()")
    try:
        yield
    finally:
        servers.run_sql(replica.superuser_url, "SELECT pg_wal_replay_resume()")


@pytest.mark.parametrize("path", ["/api/products", "/api/products?q=lamp", "/search?q=lamp"])
def test_lists_and_searches_are_read_from_the_replica(pair, path):
    made(pair, name="Lamp")

    assert reads_from_replica(pair, path)


def test_what_it_is_asked_for_in_vain_counts_as_read_from_it(pair):
    def told():
        report = figures.read(metrics.report().decode())
        return figures.figure(report, "shop_replica_reads_total", outcome="replica")

    def counted():
        before = told()
        assert pair.shop.get(anew("/api/products?page=501")).status_code == 422
        return told() == before + 1

    until(counted)


def test_categories_are_read_from_the_replica(pair):
    def served():
        pair.shop.app.extensions["catalogue_cache"] = ProcessCache()
        with asked(pair.replica) as there:
            assert pair.shop.get("/api/categories").status_code == 200
        return any("FROM categories" in line for line in there)

    until(served)


def test_nothing_else_is_ever_read_from_it(pair):
    product = made(pair, stock=10)
    customer = signed_in(pair.shop.app)
    reads_from_replica(pair, "/api/products")

    with asked(pair.replica) as there:
        assert pair.shop.get(f"/api/products/{product.id}").status_code == 200
        assert pair.staff.get(anew("/api/products")).status_code == 200
        customer.post("/api/cart/items", json={"product_id": product.id})
        assert customer.get("/api/cart").json["items"]
        placed = customer.post("/api/orders", json={})
        assert customer.get(f"/api/orders/{placed.json['number']}").status_code == 200
        assert customer.get("/api/orders").json["items"]
        assert customer.get("/api/users/me").status_code == 200
        assert pair.shop.get("/api/categories/nowhere").status_code == 404

    assert placed.status_code == 201
    assert there == []


def test_a_list_of_somebody_who_is_signed_in_asks_each_server_its_own(pair):
    customer = signed_in(pair.shop.app)

    def each_its_own():
        with asked(pair.replica) as there, asked(pair.primary) as here:
            assert customer.get(anew("/api/products")).status_code == 200
        assert not any("sessions" in line for line in there)
        return any("FROM products" in line for line in there) and any(
            "sessions" in line for line in here
        )

    until(each_its_own)


def test_a_list_is_never_a_second_late_even_while_the_replica_stands_still(pair):
    made(pair)
    reads_from_replica(pair, "/api/products")

    with paused(pair.replica):
        for number in range(4):  # others keep the lists warm, and each is looked at in time
            written = made(pair, name=f"New {number}")
            pair.shop.get("/api/products")
            time.sleep(FRESH_SECONDS)
            assert names(pair.shop.get("/api/products"))[0] == written.name
            assert names(pair.shop.get(anew("/api/products")))[0] == written.name

    assert reads_from_replica(pair, "/api/products")


def test_an_edit_shows_at_once_in_the_lists_of_its_own_process(pair):
    product = made(pair)
    reads_from_replica(pair, "/api/products")

    with paused(pair.replica):
        for name in ("Mended", "Mended again"):
            pair.shop.get("/api/products")
            pair.staff.patch(f"/api/products/{product.id}", json={"name": name})
            assert names(pair.shop.get("/api/products"))[0] == name
            assert pair.shop.get(f"/api/products/{product.id}").json["name"] == name


def test_a_replica_that_is_stopped_is_not_missed_and_used_again_when_it_is_back(pair):
    made(pair)
    reads_from_replica(pair, "/api/products")

    pair.replica.stop("immediate")
    try:
        answers = [pair.shop.get(anew("/api/products")).status_code for _ in range(10)]
        state = pair.shop.get("/healthz/ready")
    finally:
        pair.replica.start()

    assert answers == [200] * 10
    assert b'shop_replica_reads_total{outcome="away"}' in metrics.report()
    assert (state.status_code, state.json["replica"]) == (200, "unreachable")
    assert reads_from_replica(pair, "/api/products")


def test_a_replica_that_falls_silent_is_not_waited_for(pair):
    made(pair)
    reads_from_replica(pair, "/api/products")

    pair.replica.freeze()
    try:
        asking = [lambda: pair.shop.get(anew("/api/products")).status_code] * 8
        answers = at_once(asking)
        later = pair.shop.get(anew("/api/products")).status_code
    finally:
        pair.replica.thaw()

    assert answers == [200] * 8
    assert later == 200
    assert reads_from_replica(pair, "/api/products")


def test_a_read_that_fails_on_the_replica_is_done_on_the_primary(pair):
    read_on: list[bool] = []

    def build():
        read_on.append(db.session.scalar(text("SELECT NOT pg_is_in_recovery()")))
        if not read_on[-1]:
            db.session.execute(text("SELECT pg_sleep(5)"))
        return len(read_on)

    def failed_there():
        with pair.shop.app.app_context():
            assert replica.read(build, float("-inf"))[0] == len(read_on)
        return len(read_on) > 1 and read_on[-2:] == [False, True]

    until(failed_there)
    assert reads_from_replica(pair, "/api/products")


def test_what_was_read_stands_although_the_connection_died_then(pair):
    def build():
        pid, is_copy = db.session.execute(
            text("SELECT pg_backend_pid(), pg_is_in_recovery()")
        ).one()
        if is_copy:
            servers.run_sql(pair.replica.superuser_url, f"SELECT pg_terminate_backend({pid}, 5000)")
        return is_copy

    def read_there():
        with pair.shop.app.app_context():
            return replica.read(build, float("-inf"))[0]

    until(read_there)
    assert reads_from_replica(pair, "/api/products")


def test_health_and_doctor_tell_of_the_replica(pair):
    until(lambda: pair.shop.get("/healthz/ready").json["replica"] == "ok")

    with paused(pair.replica):
        made(pair)
        behind = pair.shop.get("/healthz/ready")
        report = pair.shop.app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout

    found = {check["name"]: check for check in json.loads(report)["checks"]}
    assert (behind.status_code, behind.json["replica"]) == (200, "behind")
    assert found["replica"]["status"] == "warning"
    assert found["replica"]["detail"].endswith("/shop: behind")


def test_a_server_that_takes_writes_is_no_replica(cluster):
    primary, _replica = cluster
    app = shop_on(primary, primary)

    with asked(primary) as here:
        answer = Caller(app).get("/api/products")

    assert answer.status_code == 200
    assert any("FROM products" in line for line in here)
    assert Caller(app).get("/healthz/ready").json["replica"] == "no replica"
    close(app)


def test_a_replica_of_another_shop_is_never_read(cluster):
    with running() as stranger:
        servers.create_database(stranger.url, "shop")
        migrated(database_of(stranger))
        app = shop_on(stranger, cluster[1])
        answers = [names(Caller(app).get(anew("/api/products"))) for _ in range(3)]
        state = Caller(app).get("/healthz/ready").json["replica"]
        close(app)

    assert answers == [[]] * 3
    assert state == "no replica"


def test_while_the_primary_is_away_its_replica_is_not_taken_for_new(cluster):
    nowhere = f"postgresql://shop@{servers.LOCALHOST}:{servers.free_port()}/shop"
    app = shop_on(*cluster, DATABASE_URL=nowhere)

    answer = Caller(app).get("/api/products")

    assert answer.status_code == 503
    close(app)
