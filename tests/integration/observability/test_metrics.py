"""The figures for Prometheus: what is counted, under which labels, and who may read them."""

import threading

import pytest
from sqlalchemy import text

from app import create_app
from app.config import Testing
from app.db.unit_of_work import in_transaction
from app.domain.people.actor import Actor
from app.extensions import db
from app.services.imports import import_jobs
from tests import factories
from tests.factories import PASSWORD
from tests.figures import figure, read
from tests.integration.browsing import Browser
from tests.integration.shopping import ADDRESS

pytestmark = pytest.mark.thorough

TOKEN = "scrape-me-if-you-can"


@pytest.fixture
def gained(anyone):
    """By how much a figure has grown since the test began."""
    before = anyone.get("/metrics").text

    def since(name, **labels):
        return told(anyone, name, **labels) - figure(read(before, name), name, **labels)

    return since


def told(caller, name, **labels):
    """A figure as it is now."""
    return figure(read(caller.get("/metrics").text, name), name, **labels)


def test_requests_are_counted_by_the_template_of_their_route(anyone, gained):
    for slug in ("one", "two", "three"):
        anyone.get(f"/api/products/{slug}")

    facts = {"method": "GET", "route": "/api/products/<product>"}
    assert gained("shop_requests_total", status=404, **facts) == 3
    assert gained("shop_request_seconds_count", **facts) == 3
    assert gained("shop_statements_total", **facts) > 0
    assert gained("shop_refusals_total", code="not_found") == 3


def test_no_path_and_no_method_that_a_client_makes_up_becomes_a_label(anyone, gained):
    anyone.get("/api/made-up-path")
    anyone.get("/made-up-page")
    anyone.call("MADEUP", "/api/products")

    report = anyone.get("/metrics").text

    assert gained("shop_requests_total", route="unknown", method="GET") == 2
    assert gained("shop_requests_total", route="unknown", method="unknown", status=405) == 1
    assert "made-up" not in report
    assert "MADEUP" not in report


def test_a_request_is_under_way_until_it_is_answered(app, anyone):
    app_of_its_own = create_app(app.extensions["settings"])
    app_of_its_own.add_url_rule("/api/fail", view_func=lambda: 1 // 0)

    app_of_its_own.test_client().get("/api/fail")
    anyone.get("/nowhere")

    assert told(anyone, "shop_requests_in_flight") == 1


def test_an_order_counts_once_with_its_total_and_what_it_sold_out(customer, gained):
    with customer.app.app_context():
        product = factories.product(price=1250, stock=3)
    customer.post("/api/cart/items", json={"product_id": product.id, "quantity": 3})
    wishes = {"json": {"shipping_address": ADDRESS}, "headers": {"Idempotency-Key": "once"}}

    statuses = [customer.post("/api/orders", **wishes).status_code for _ in range(2)]

    assert statuses == [201, 201]
    assert gained("shop_orders_placed_total", currency="USD", buyer="customer") == 1
    assert gained("shop_revenue_minor_units_total", currency="USD") == 3750
    assert told(customer, "shop_currency_minor_units", currency="USD") == 100
    assert gained("shop_sold_out_total") == 1
    assert gained("shop_stock_outs_total") == 0


def test_an_order_that_is_short_of_stock_counts_as_one(app, customer, gained):
    with app.app_context():
        product = factories.product(stock=2)
    customer.post("/api/cart/items", json={"product_id": product.id, "quantity": 2})
    with app.app_context():
        in_transaction(lambda: db.session.execute(text("UPDATE variants SET on_hand = 1")))

    refused = customer.post("/api/orders", json={"shipping_address": ADDRESS})

    assert refused.status_code == 409
    assert gained("shop_stock_outs_total") == 1
    assert gained("shop_refusals_total", code="out_of_stock") == 1
    assert gained("shop_orders_placed_total") == 0


def test_wrong_passwords_and_the_locks_that_they_set_are_counted(anyone, gained):
    with anyone.app.app_context():
        user = factories.user()
    wrong = {"email": user.email, "password": "not the right one"}

    anyone.post("/api/auth/login", json={"email": user.email, "password": PASSWORD})
    answers = [anyone.post("/api/auth/login", json=wrong).status_code for _ in range(6)]

    assert answers == [401] * 5 + [429]
    assert gained("shop_sign_ins_total", outcome="right") == 1
    assert gained("shop_sign_ins_total", outcome="wrong") == 5
    assert gained("shop_lockouts_total") == 1
    assert gained("shop_limits_hit_total", limit="sign_in") == 1


def test_a_form_that_is_refused_counts_as_well(anyone, gained):
    answer = Browser(anyone.app).sign_in("nobody@example.com")

    assert answer.status_code == 401
    assert gained("shop_refusals_total", code="invalid_credentials") == 1


def test_looks_into_the_cache_are_hits_or_misses(anyone, gained):
    for _ in range(3):
        anyone.get("/api/products?per_page=7")

    assert gained("shop_cache_lookups_total", kind="products", outcome="miss") >= 1
    assert gained("shop_cache_lookups_total", kind="products") == 3


def test_rows_of_an_import_are_counted_as_they_are_taken_in(app, gained):
    data = b"sku,name,price,stock\nA-1,Hat,5.00,3\nA-2,Cap,x,3\n"

    with app.app_context():
        actor = Actor("admin", factories.user(role="admin").id)
        job = factories.import_job(data, actor)
        source = import_jobs.source_of(job.id)
        in_transaction(lambda: import_jobs.step(job.id, source, "USD"))
        in_transaction(lambda: import_jobs.start(actor, job.id))
        in_transaction(lambda: import_jobs.step(job.id, source, "USD"))

    assert gained("shop_imports_total", step="checked") == 1
    assert gained("shop_imports_total", step="done") == 1
    assert gained("shop_import_rows_total", outcome="created") == 1
    assert gained("shop_import_rows_total", outcome="refused") == 1


def test_connections_are_told_by_what_they_do(app, anyone):
    def connections(state):
        return told(anyone, "shop_database_connections", state=state)

    before = connections("in_use")
    with app.app_context(), db.engine.connect():
        used = connections("in_use")

    assert (used - before, connections("in_use"), connections("waiting")) == (1, before, 0)
    assert connections("open") >= 1


def test_who_waits_for_a_connection_is_told(app, environ, anyone):
    small = create_app(Testing({**environ, "DB_POOL_SIZE": "1", "DB_MAX_OVERFLOW": "0"}))

    def wait():
        with small.app_context(), db.engine.connect():
            pass

    with small.app_context(), db.engine.connect():
        waiter = threading.Thread(target=wait)
        waiter.start()
        waiting = 0.0
        while not waiting and waiter.is_alive():
            waiting = told(anyone, "shop_database_connections", state="waiting")
    waiter.join()

    assert waiting == 1


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("10.1.2.3", {}, 200),
        ("fd00::7", {}, 200),
        ("::ffff:192.168.1.2", {}, 200),
        ("8.8.8.8", {}, 403),
        ("2600::1", {}, 403),
        ("::ffff:8.8.8.8", {}, 403),
        ("", {}, 403),
        ("10.1.2.3", {"X-Forwarded-For": "10.9.9.9"}, 403),
        ("10.1.2.3", {"Forwarded": "for=10.9.9.9"}, 403),
        ("10.1.2.3", {"X-Real-IP": "10.9.9.9"}, 403),
        ("10.1.2.3", {"X-Forwarded-Proto": "https"}, 403),
    ],
)
def test_without_a_token_only_neighbours_are_answered(anyone, address, headers, status):
    environ = {"REMOTE_ADDR": address}

    answer = anyone.get("/metrics", headers=headers, environ_overrides=environ)

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("authorization", "status"),
    [(f"Bearer {TOKEN}", 200), ("Bearer wrong", 401), (TOKEN, 401), ("", 401), ("Bearer ü", 401)],
)
def test_with_a_token_whoever_has_it_is_answered(app, shops, authorization, status):
    guarded = shops(METRICS_TOKEN=TOKEN)
    headers = {"Authorization": authorization} if authorization else {}

    answer = guarded.test_client().get(
        "/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": "8.8.8.8"}
    )

    assert answer.status_code == status


@pytest.mark.only_on("sqlite")
def test_figures_are_told_while_the_database_is_away(app):
    away = Testing({"DATABASE_URL": "postgresql://shop@127.0.0.1:1/shop", "LOG_LEVEL": "ERROR"})

    answer = create_app(away).test_client().get("/metrics")

    assert answer.status_code == 200
