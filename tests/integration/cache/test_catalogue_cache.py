"""The catalogue's cache: fresh in every worker, and no harm when Redis is away.

Two app objects on one database and one Redis stand for two workers.
"""

import signal
import sys
import time
from threading import Event, Thread
from typing import NamedTuple

import pytest
from redis import Redis

from app import create_app
from app.config import Testing
from app.db.circuit_breaker import SKIP_SECONDS, CircuitBreaker
from app.db.unit_of_work import in_transaction
from app.errors import Conflict
from app.extensions import cache, db
from app.models import Product, Variant
from app.services.cache import catalogue_cache
from app.services.cache.catalogue_cache import Answer, ProcessCache, ProductAnswer
from app.services.cache.local_cache import LocalCache, SingleFlight
from app.services.cache.shared_cache import PendingInvalidations
from app.services.catalogue.product_filters import ProductQuery
from app.web import answers
from tests import factories, servers
from tests.integration.conftest import Caller
from tests.integration.db.test_query_counts import counted
from tests.integration.people import at_once, inside
from tests.servers import PATIENCE

pytestmark = pytest.mark.processes

URL = "/api/products"


class Shop(NamedTuple):
    """Two workers with a Redis of their own, and its client."""

    here: Caller
    there: Caller
    staff: Caller
    redis: Redis
    server: object
    product_id: int


@pytest.fixture(scope="module")
def valkey():
    """A server that this module may freeze and kill."""
    port = servers.free_port()
    with servers.valkey(port) as server:
        yield f"redis://127.0.0.1:{port}/0", server


@pytest.fixture(scope="module")
def workers(environ, valkey):
    """Two app objects on one database and that server."""
    apps = [create_app(Testing({**environ, "REDIS_URL": valkey[0]})) for _ in range(2)]
    yield apps
    for worker in apps:
        with worker.app_context():
            db.engine.dispose()


@pytest.fixture
def shop(app, admin, workers, valkey):
    """A product called Lamp at 10.00, stock 5, in the category Lamps; nothing cached."""
    url, server = valkey
    with app.app_context():
        category = factories.category(name="Lamps", slug="lamps")
        product = factories.product(1000, 5, name="Lamp", slug="lamp", category_id=category.id)
    for worker in workers:  # as in processes that have just begun
        worker.extensions["catalogue_cache"] = ProcessCache()
        with worker.app_context():
            cache.cache.breaker, cache.cache.pending = CircuitBreaker(), PendingInvalidations()
    with Redis.from_url(url) as redis:
        redis.flushall()
        here, there = (Caller(worker) for worker in workers)
        staff = Caller(workers[0], admin.user_id, **admin.headers)
        yield Shop(here, there, staff, redis, server, product.id)


def warm(shop):
    """Read the product until both workers have it from the cache."""
    for _ in range(2):
        for path in ("lamp", shop.product_id):
            for caller in (shop.here, shop.there):
                assert caller.get(f"{URL}/{path}").json["name"] == "Lamp"


@pytest.mark.parametrize("address", ["lamp", None])
def test_a_product_that_was_read_is_read_without_the_database(shop, address):
    path = f"{URL}/{address or shop.product_id}"
    warm(shop)

    for caller in (shop.here, shop.there):
        with counted(caller.app) as run:
            response = caller.get(path)
        assert run == []
        assert response.json["id"] == shop.product_id
        assert (
            caller.get(path, headers={"If-None-Match": response.headers["ETag"]}).status_code == 304
        )


def test_a_hit_costs_one_round_trip(shop):
    warm(shop)
    shop.redis.config_resetstat()

    shop.here.get(f"{URL}/lamp")

    calls = {name: stat["calls"] for name, stat in shop.redis.info("commandstats").items()}
    assert {name: n for name, n in calls.items() if "reset" not in name} == {"cmdstat_mget": 1}


def test_a_connection_that_redis_closed_is_made_anew_at_once(shop):
    warm(shop)
    shop.redis.client_kill_filter(_type="normal", skipme=True)

    with counted(shop.here.app) as run:
        answer = shop.here.get(f"{URL}/lamp")

    assert (run, answer.json["name"]) == ([], "Lamp")


def test_entries_do_not_outlive_an_outage_for_long(shop):
    warm(shop)

    assert 0 < shop.redis.ttl(f"shopswift:product:{shop.product_id}") <= 30


WRITES = {
    "edit": ("PATCH", f"{URL}/lamp", {"name": "Light"}),
    "price": ("PATCH", f"{URL}/lamp", {"price": "11.00"}),
    "stock": ("POST", f"{URL}/lamp/stock", {"delta": 1, "reason": "found"}),
    "category": ("PATCH", "/api/categories/lamps", {"name": "Lights"}),
    "slug": ("PATCH", f"{URL}/lamp", {"slug": "light"}),
    "hidden": ("PATCH", f"{URL}/lamp", {"is_active": False}),
    "deleted": ("DELETE", f"{URL}/lamp", None),
}


@pytest.mark.parametrize("write", WRITES)
def test_what_one_worker_wrote_the_other_shows(shop, write):
    warm(shop)
    before = shop.there.get(f"{URL}/lamp").data

    method, path, body = WRITES[write]
    assert shop.staff.call(method, path, json=body).status_code < 300

    after = shop.there.get(f"{URL}/{shop.product_id}")
    assert after.data != before
    assert after.status_code == (404 if write in ("hidden", "deleted") else 200)
    assert shop.there.get(f"{URL}/lamp").status_code == (
        404 if write == "slug" else after.status_code
    )


def test_what_orders_take_and_give_back_the_other_worker_shows(shop):
    """The stock of each step, and the whole answer as it would be without a cache."""
    buyer = Caller(shop.here.app, Authorization=shop.staff.headers["Authorization"])
    numbers = []

    def place():
        buyer.post("/api/cart/items", json={"product_id": shop.product_id, "quantity": 2})
        numbers.append(buyer.post("/api/orders", json={}).json["number"])

    def move_to(status):
        path = f"/api/orders/{numbers[-1]}/status"
        assert shop.staff.patch(path, json={"status": status}).status_code == 200

    steps = [
        (place, 3),
        (lambda: buyer.post(f"/api/orders/{numbers[-1]}/cancel"), 5),
        (place, 3),
        (lambda: move_to("processing"), 3),
        (lambda: move_to("shipped"), 3),
        (lambda: move_to("delivered"), 3),
        (place, 1),
        (lambda: move_to("cancelled"), 3),
    ]
    for step, left in steps:
        warm(shop)
        step()
        shown = shop.there.get(f"{URL}/lamp")
        assert shown.json["stock"] == left
        shop.redis.flushall()
        assert shop.there.get(f"{URL}/lamp").data == shown.data
    assert len(numbers) == 3


def test_what_an_import_writes_and_its_undoing_the_other_worker_shows(shop):
    sku = shop.here.get(f"{URL}/lamp").json["sku"]
    commands = shop.here.app.test_cli_runner()

    warm(shop)
    imported = commands.invoke(
        args=["import-products", "-"], input=f"sku,name,price\n{sku},Lamp,8.00\n"
    )
    then = shop.there.get(f"{URL}/lamp").json["price"]
    warm(shop)
    reference = imported.stdout.partition("undo-import ")[2].split()[0]
    undone = commands.invoke(args=["undo-import", reference])

    assert (imported.exit_code, undone.exit_code) == (0, 0)
    assert (then, shop.there.get(f"{URL}/lamp").json["price"]) == ("8.00", "10.00")


def test_what_a_transaction_of_another_program_wrote_is_shown(shop):
    warm(shop)

    def reprice():
        product = db.session.get(Product, shop.product_id)
        product.name = "Imported"
        catalogue_cache.invalidate_product(product.id)

    with shop.here.app.app_context():
        in_transaction(reprice)

    assert shop.there.get(f"{URL}/lamp").json["name"] == "Imported"


def test_an_answer_that_was_read_before_a_write_is_never_served_after_it(shop):
    def read_slowly():
        old = ProductAnswer(Answer(b"old", "old"), shop.product_id, "lamp")
        assert shop.staff.patch(f"{URL}/lamp", json={"name": "Light"}).status_code == 200
        return old

    with shop.there.app.app_context():
        catalogue_cache.cached_product(shop.product_id, read_slowly)

    assert shop.redis.exists(f"shopswift:product:{shop.product_id}")
    assert shop.there.get(f"{URL}/{shop.product_id}").json["name"] == "Light"


def test_an_entry_whose_tokens_were_evicted_never_matches_again(shop):
    warm(shop)
    with shop.here.app.app_context():
        db.session.get(Product, shop.product_id).name = "Light"
        db.session.commit()

    for key in shop.redis.keys("shopswift:token:*"):
        shop.redis.delete(key)

    assert shop.there.get(f"{URL}/lamp").json["name"] == "Light"


def test_what_did_not_happen_forgets_nothing(shop):
    warm(shop)
    tokens = shop.redis.mget(sorted(shop.redis.keys("*token*")))

    def refuse():
        catalogue_cache.invalidate_product(shop.product_id)
        raise Conflict("no", "No.")

    with shop.here.app.app_context():
        with pytest.raises(Conflict):
            in_transaction(refuse)
        in_transaction(lambda: None)

    assert shop.redis.mget(sorted(shop.redis.keys("*token*"))) == tokens


def test_a_transaction_forgets_in_one_round_trip_even_after_another_try(shop):
    tries = []

    def work():
        tries.append(len(tries))
        for id_ in range(10 * len(tries), 10 * len(tries) + 3):
            catalogue_cache.invalidate_product(id_)
        if len(tries) == 1:
            db.session.add(Variant(product_id=0, sku="x", price=1))
            db.session.flush()

    with shop.here.app.app_context():
        in_transaction(work)

    assert len(tries) == 2
    assert sorted(shop.redis.keys("*token:product*")) == [
        f"shopswift:token:product:{n}".encode() for n in (20, 21, 22)
    ]


def test_many_products_are_forgotten_as_a_whole(shop):
    warm(shop)

    def work():
        db.session.get(Product, shop.product_id).name = "Light"
        for id_ in range(1, catalogue_cache.MANY_PRODUCTS + 2):
            catalogue_cache.invalidate_product(id_)

    with shop.here.app.app_context():
        in_transaction(work)

    assert not shop.redis.exists("shopswift:token:product:400")
    assert shop.there.get(f"{URL}/lamp").json["name"] == "Light"


@pytest.mark.parametrize("junk", [b"", b"junk", b"!\x80\x04N.", b"12"])
def test_what_is_no_entry_of_ours_is_passed_over(shop, junk):
    warm(shop)
    for key in shop.redis.keys("shopswift:product:*"):
        shop.redis.set(key, junk)

    assert shop.here.get(f"{URL}/lamp").json["name"] == "Lamp"


def test_guesses_at_slugs_are_bounded_and_never_trusted(shop):
    warm(shop)
    shop.staff.post(URL, json={"name": "Kettle", "price": 1})
    product_ids = shop.here.app.extensions["catalogue_cache"].product_ids
    product_ids.update({f"s{n}": n for n in range(catalogue_cache.MAX_SLUGS)})
    product_ids["ghost"] = shop.product_id

    assert shop.here.get(f"{URL}/ghost").status_code == 404
    assert shop.here.get(f"{URL}/kettle").status_code == 200
    assert list(product_ids) == ["kettle"]


# --- lists ---


def test_a_list_shows_edits_at_once_in_the_process_that_made_them(shop):
    path = f"{URL}?q=lamp"
    first = shop.here.get(path)

    shop.staff.patch(f"{URL}/lamp", json={"name": "Lamp Light"})

    assert first.json["items"][0]["name"] == "Lamp"
    assert shop.here.get(path).json["items"][0]["name"] == "Lamp Light"


def test_a_list_that_was_just_made_is_read_from_nowhere(shop):
    shop.here.get(URL)
    shop.redis.config_resetstat()

    with counted(shop.here.app) as run:
        again = shop.here.get(URL)

    assert (run, again.json["total"]) == ([], 1)
    assert set(shop.redis.info("commandstats")) == {"cmdstat_config|resetstat"}


@pytest.mark.only_on("postgresql")
def test_a_list_trails_writes_by_less_than_a_second(shop):
    for caller in (shop.here, shop.there):
        caller.get(URL)
    shop.staff.post(f"{URL}/lamp/stock", json={"delta": 1, "reason": "found"})
    shop.staff.patch(f"{URL}/lamp", json={"name": "Light"})

    time.sleep(1)

    for caller in (shop.here, shop.there):
        (item,) = caller.get(URL).json["items"]
        assert (item["name"], item["stock"]) == ("Light", 6)


def test_a_list_that_was_read_before_an_edit_is_not_kept_after_it(shop):
    def read_slowly():
        assert shop.staff.patch(f"{URL}/lamp", json={"name": "Light"}).status_code == 200
        return Answer(b"old", "old")

    with shop.here.app.app_context():
        catalogue_cache.cached_list("test", (), read_slowly)
        again = catalogue_cache.cached_list("test", (), lambda: Answer(b"new", "new"))

    assert again.body == b"new"


@pytest.mark.races
@pytest.mark.parametrize("kind", ["a product", "a list"])
def test_what_many_want_at_once_is_made_once(shop, kind):
    made = []

    def build():
        made.append(1)
        time.sleep(0.1)
        return Answer(b"{}", "tag")

    def ask():
        if kind == "a list":
            return catalogue_cache.cached_list("test", (), build).body
        return catalogue_cache.cached_product(
            shop.product_id, lambda: ProductAnswer(build(), shop.product_id, "lamp")
        ).body

    answers = at_once(lambda: inside(shop.here.app, ask) for _ in range(8))

    assert answers == [b"{}"] * 8
    assert len(made) == 1


def test_nobody_waits_long_for_somebody_who_is_stuck():
    builds, entered = SingleFlight(seconds=0.05), Event()

    def build():
        with builds.enter("a"):
            entered.set()

    with builds.enter("a"):
        other = Thread(target=build)
        other.start()
        assert entered.wait(PATIENCE), "The other one waits for somebody who never lets go."
    other.join(PATIENCE)
    assert not other.is_alive()


def test_whoever_waits_gets_in_when_the_one_before_has_ended():
    builds, steps, waits = SingleFlight(seconds=20), [], Event()

    def build():
        waits.set()
        with builds.enter(1):
            steps.append("second")

    with builds.enter(1):
        other = Thread(target=build)
        other.start()
        assert waits.wait(PATIENCE)
        with builds.enter(2):
            steps.append("first")
    other.join(PATIENCE)

    assert steps == ["first", "second"]


def test_lists_that_take_too_much_room_are_forgotten():
    kept = LocalCache(seconds=60, max_bytes=3 * 2_000)
    for number in range(4):
        kept.put(number, "thing", 1_000, kept.begin())

    assert [kept.get(number) for number in range(4)] == [None, None, None, "thing"]


def test_links_go_to_the_host_that_was_asked(shop):
    for host in ("one.example", "two.example"):
        response = shop.here.get(URL, headers={"Host": host})
        assert response.headers["Link"].startswith(f"<http://{host}/api/products?page=1>")


def test_long_questions_take_room_too(shop):
    with shop.here.app.app_context():
        for number in range(2):
            question = ProductQuery(
                q=f"{number}" + "x" * (catalogue_cache.ALL_LISTS_BYTES * 2 // 3)
            )
            catalogue_cache.cached_list("products", question, lambda: Answer(b"{}", "tag"))

        assert list(catalogue_cache._local().lists._values) == [("products", question)]


def test_links_of_long_addresses_are_right_and_not_remembered(shop):
    kept = answers._link_header.cache_info().currsize
    long = "x." * (answers.LONGEST_REMEMBERED // 2) + "x"

    by_query = shop.here.get(f"{URL}?utm_tag={long}")
    by_host = shop.here.get(URL, headers={"Host": long})

    assert f"utm_tag={long}&page=1>" in by_query.headers["Link"]
    assert by_host.headers["Link"].startswith(f"<http://{long}/api/products?page=1>")
    assert answers._link_header.cache_info().currsize == kept


def test_long_lists_are_not_kept(shop, app):
    with app.app_context():
        for _ in range(8):
            factories.product(description="x" * 20_000)
    shop.redis.flushall()

    path = f"{URL}?per_page=100"
    assert len(shop.here.get(path).data) > catalogue_cache.MAX_LIST_BYTES
    with counted(shop.here.app) as run:
        shop.here.get(path)
    assert run


# --- Redis away ---


@pytest.fixture
def frozen(shop):
    """The shop, with a Redis that takes connections and answers nothing."""
    warm(shop)
    shop.server.send_signal(signal.SIGSTOP)
    yield shop
    shop.server.send_signal(signal.SIGCONT)


@pytest.mark.only_on("postgresql")
def test_a_frozen_redis_is_no_error_and_no_reason_for_old_answers(frozen):
    assert frozen.here.get(f"{URL}/lamp").json["name"] == "Lamp"
    assert frozen.staff.patch(f"{URL}/lamp", json={"name": "Light"}).status_code == 200

    assert frozen.here.get(f"{URL}/lamp").json["name"] == "Light"
    assert frozen.there.get(f"{URL}/lamp").json["name"] == "Light"
    assert frozen.here.get(URL).json["total"] == 1
    assert frozen.here.get("/healthz/ready").json["cache"] == "unreachable"


@pytest.mark.only_on("postgresql")
def test_what_could_not_be_forgotten_is_made_good_once_redis_is_back(frozen):
    assert frozen.staff.patch(f"{URL}/lamp", json={"name": "Light"}).status_code == 200

    frozen.server.send_signal(signal.SIGCONT)
    time.sleep(SKIP_SECONDS)

    assert frozen.here.get(f"{URL}/lamp").json["name"] == "Light"
    assert frozen.there.get(f"{URL}/lamp").json["name"] == "Light"
    assert frozen.here.get("/healthz/ready").json["cache"] == "ok"


@pytest.mark.only_on("postgresql")
def test_a_long_outage_ends_with_everything_forgotten(frozen):
    def work(start):
        for id_ in range(start, start + 400):
            catalogue_cache.invalidate_product(id_)

    with frozen.here.app.app_context():
        in_transaction(lambda: work(1_000_000))
        in_transaction(lambda: work(2_000_000))
    frozen.server.send_signal(signal.SIGCONT)
    before = frozen.redis.get("shopswift:token:catalogue")
    time.sleep(SKIP_SECONDS)
    frozen.here.get(f"{URL}/lamp")

    assert frozen.redis.get("shopswift:token:catalogue") != before


@pytest.mark.only_on("postgresql")
def test_invalidations_that_cannot_be_delivered_yet_stay_pending(frozen):
    frozen.staff.patch(f"{URL}/lamp", json={"name": "Light"})
    time.sleep(SKIP_SECONDS)

    assert frozen.here.get(f"{URL}/lamp").json["name"] == "Light"

    frozen.server.send_signal(signal.SIGCONT)
    time.sleep(SKIP_SECONDS)
    frozen.here.get(f"{URL}/lamp")
    assert frozen.there.get(f"{URL}/lamp").json["name"] == "Light"


def test_an_invalidation_stays_pending_until_it_is_complete():
    pending = PendingInvalidations()
    pending.add({"lamp"})

    names, additions = pending.snapshot()

    assert (names, pending.names) == ({"lamp"}, {"lamp"})
    assert pending.complete(additions)
    assert pending.names == set()


def test_an_invalidation_that_is_added_during_the_delivery_stays_pending():
    pending = PendingInvalidations()
    pending.add({"lamp"})
    _names, additions = pending.snapshot()
    pending.add({"lamp"})

    assert not pending.complete(additions)
    assert pending.names == {"lamp"}


def test_a_stopped_redis_is_no_error(environ, app, admin):
    url = f"redis://127.0.0.1:{servers.free_port()}/0"
    worker = create_app(Testing({**environ, "REDIS_URL": url}))
    staff = Caller(worker, admin.user_id, **admin.headers)

    made = staff.post(URL, json={"name": "Lamp", "price": 1})

    assert made.status_code == 201
    assert Caller(worker).get(f"{URL}/lamp").json["name"] == "Lamp"
    assert Caller(worker).get(URL).json["total"] == 1
    assert Caller(worker).get("/api/categories").status_code == 200
    assert Caller(worker).get("/healthz/ready").json["cache"] == "unreachable"
    with worker.app_context():
        db.engine.dispose()


# --- without Redis ---


@pytest.mark.only_on("sqlite")
def test_without_redis_products_are_always_read_anew(app, anyone):
    with app.app_context():
        product = factories.product(slug="lamp")
    anyone.get(f"{URL}/lamp")

    with app.app_context():
        db.session.get(Product, product.id).name = "Written by another process"
        db.session.commit()

    assert anyone.get(f"{URL}/lamp").json["name"] == "Written by another process"
    assert anyone.get("/healthz/ready").json["cache"] == "in process"


@pytest.mark.only_on("sqlite")
def test_without_redis_lists_show_the_edits_of_their_own_process_at_once(anyone, admin):
    assert anyone.get(URL).json["total"] == 0

    admin.post(URL, json={"name": "Lamp", "price": 1})

    assert anyone.get(URL).json["total"] == 1


@pytest.mark.races
@pytest.mark.only_on("sqlite")
def test_many_lists_are_kept_in_process_by_many_threads_at_once(app):
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns within a few instructions

    def ask(worker):
        for number in range(800):
            catalogue_cache.cached_list("test", (worker, number), lambda: Answer(b"{}", "tag"))
        return number

    try:
        answered = at_once(lambda w=worker: inside(app, ask, w) for worker in range(8))
    finally:
        sys.setswitchinterval(interval)

    assert answered == [799] * 8
