"""`purge`: what nobody needs goes, in batches; what is needed, or just being written, stays."""

import os
import threading
from datetime import timedelta

import pytest
from sqlalchemy import event, insert, update

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.extensions import db
from app.gateways.media import FolderStore
from app.jobs import upkeep
from app.models import Cart, CartLine, Checkout, IdempotencyKey, ImportJob, LoginThrottle, Session
from app.services.accounts import session_service, throttle_service
from app.services.operations import purge_service
from tests import factories
from tests.factories import count
from tests.integration.conftest import Caller
from tests.integration.people import at_once, inside, rows
from tests.integration.shopping import fill

pytestmark = pytest.mark.thorough

DAY = timedelta(days=1)
PICTURE = "a" * 32


@pytest.fixture
def media(app, tmp_path, monkeypatch):
    """A folder of this test's own for pictures."""
    monkeypatch.setitem(app.extensions, "media", FolderStore(tmp_path / "media", "/media"))
    return tmp_path / "media"


@pytest.fixture
def purge(app, media):
    """Run the command; the line that it ends with."""

    def run(*args):
        result = app.test_cli_runner().invoke(args=["purge", *args])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def aged(app, days, *tables):
    """Make all rows of these tables older, whatever they count their age by."""
    then = utc_now() - timedelta(days=days)
    facts = {
        Cart: {"updated_at": then},
        Checkout: {"created_at": then},
        IdempotencyKey: {"created_at": then},
        Session: {"expires_at": then},
        LoginThrottle: {"last_failed_at": then},
        ImportJob: {"updated_at": then},
    }

    def age():
        for table in tables:
            db.session.execute(update(table).values(facts[table]))

    inside(app, lambda: in_transaction(age))


def guests(app, product, number):
    """Guests with the product in their carts."""
    found = [Caller(app) for _ in range(number)]
    for guest in found:
        fill(guest, product)
    return found


def save_picture(app, media, days, name=f"{PICTURE}-320.webp"):
    """A picture's file that was saved so many days ago."""
    app.extensions["media"].save(name, b"not looked at")
    then = (utc_now() - timedelta(days=days)).timestamp()
    os.utime(media / name, (then, then))
    return media / name


def add_one_of_each(app, customer):
    """A row of every kind that can go, all of now."""
    product = inside(app, factories.product)
    guests(app, product, 1)
    fill(customer, product)

    def add():
        now = utc_now()
        cart_id = db.session.scalar(db.select(Cart.id).where(Cart.user_id.is_not(None)))
        db.session.add_all(
            [
                Checkout(cart_id=cart_id, browser_hash="b", key="k", details={"city": "Leeds"}),
                IdempotencyKey(scope="user:1", key="k", request_hash="", created_at=now),
                LoginThrottle(key="k", failures=3, last_failed_at=now),
                ImportJob(name="list.csv", size=1, lines=1, status="done"),
            ]
        )

    inside(app, lambda: in_transaction(add))


def left(app):
    tables = (Cart, CartLine, Checkout, IdempotencyKey, Session, LoginThrottle, ImportJob)
    return inside(app, lambda: [count(table) for table in tables])


def test_nothing_of_today_goes(app, purge, customer):
    add_one_of_each(app, customer)

    assert purge() == (
        "purge: 0 carts, 0 checkouts, 0 idempotency keys, 0 sessions, 0 links of mails, 0 sign-in steps,"
        " 0 unconfirmed second factors, 0 login throttles,"
        " 0 security events, 0 imports, 0 jobs, 0 webhook deliveries, 0 events, 0 mails, 0 files of pictures removed.\n"
    )
    assert left(app) == [2, 2, 1, 1, 1, 1, 1]


def test_what_is_old_goes_but_customers_keep_their_carts(app, purge, customer):
    add_one_of_each(app, customer)
    aged(app, 31, Cart, Checkout, IdempotencyKey, Session, LoginThrottle, ImportJob)

    assert purge() == (
        "purge: 1 carts, 1 checkouts, 1 idempotency keys, 1 sessions, 0 links of mails, 0 sign-in steps,"
        " 0 unconfirmed second factors, 1 login throttles,"
        " 0 security events, 1 imports, 0 jobs, 0 webhook deliveries, 0 events, 0 mails, 0 files of pictures removed.\n"
    )
    assert left(app) == [1, 1, 0, 0, 0, 0, 0]
    assert "purge: 0 carts, 0 checkouts, 0 idem" in purge()


@pytest.mark.parametrize(
    ("table", "days", "stays"),
    [(Cart, 29.9, True), (Cart, 30.1, False), (Checkout, 0.03, True),
     (Checkout, 0.05, False), (IdempotencyKey, 0.99, True),
     (IdempotencyKey, 1.01, False), (Session, 0.9, True), (LoginThrottle, 0.9, True),
     (ImportJob, 6.9, True), (ImportJob, 7.1, False)],
)  # fmt: skip
def test_each_kind_has_its_time(app, purge, customer, table, days, stays):
    add_one_of_each(app, customer)
    before = inside(app, lambda: count(table))
    aged(app, days, table)

    purge()

    assert inside(app, lambda: count(table)) == before - (not stays)


def test_carts_go_sooner_where_the_shop_says_so(app, purge, monkeypatch):
    guests(app, inside(app, factories.product), 1)
    aged(app, 8, Cart)
    monkeypatch.setitem(app.config, "CART_DAYS", 7)

    assert "purge: 1 carts," in purge()


def test_a_dry_run_counts_the_same_and_changes_nothing(app, purge, media, customer):
    add_one_of_each(app, customer)
    aged(app, 31, Cart, Checkout, IdempotencyKey, Session, LoginThrottle, ImportJob)
    save_picture(app, media, days=2)
    before = left(app)

    told = purge("--dry-run")

    assert told == (
        "purge: 1 carts, 1 checkouts, 1 idempotency keys, 1 sessions, 0 links of mails, 0 sign-in steps,"
        " 0 unconfirmed second factors, 1 login throttles,"
        " 0 security events, 1 imports, 0 jobs, 0 webhook deliveries, 0 events, 0 mails, 1 files of pictures would go. A dry run: nothing was changed.\n"
    )
    assert left(app) == before
    assert len(list(media.iterdir())) == 1


def test_many_rows_go_a_thousand_at_a_time(app, purge):
    old = utc_now() - 2 * DAY
    rows = [{"key": str(n), "failures": 1, "last_failed_at": old} for n in range(2300)]
    inside(app, lambda: in_transaction(lambda: db.session.execute(insert(LoginThrottle), rows)))
    deletions = []

    def note(_connection, cursor, statement, *_rest):
        if statement.startswith("DELETE FROM login_throttles"):
            deletions.append(cursor.rowcount)

    engine = inside(app, lambda: db.engine)
    event.listen(engine, "after_cursor_execute", note)
    try:
        assert "2300 login throttles" in purge()
    finally:
        event.remove(engine, "after_cursor_execute", note)

    assert deletions == [1000, 1000, 300]


@pytest.mark.races
def test_a_cart_that_is_written_meanwhile_survives_or_is_gone_whole(app, purge):
    first, second = inside(app, factories.product), inside(app, factories.product)
    found = guests(app, first, 24)
    aged(app, 31, Cart)
    tokens = {guest: guest.headers["X-Cart-Token"] for guest in found}
    done = threading.Event()

    def keep_purging():
        while not done.is_set():
            purge()

    def write(some):
        try:
            return [fill(guest, second) for guest in some]
        finally:
            done.set()

    groups = [found[start::3] for start in range(3)]
    _purged, *answers = at_once([keep_purging, *(lambda g=group: write(g) for group in groups)])

    assert {answer.status_code for group in answers for answer in group} <= {200, 201}
    for guest, old in tokens.items():
        items = {item["product_id"] for item in guest.get("/api/cart").json["items"]}
        kept = guest.headers["X-Cart-Token"] == old
        assert items == ({first.id, second.id} if kept else {second.id})
        if not kept:
            assert Caller(app, **{"X-Cart-Token": old}).get("/api/cart").json["items"] == []
    assert inside(app, lambda: count(Cart)) == len(found)


@pytest.mark.races
@pytest.mark.only_on("postgresql")
def test_a_cart_that_somebody_holds_is_left_alone(app, purge):
    guests(app, inside(app, factories.product), 2)
    aged(app, 31, Cart)
    with app.app_context(), db.engine.begin() as holder:
        holder.execute(db.select(Cart.id).limit(1).with_for_update())

        assert "purge: 1 carts," in purge()
    assert "purge: 1 carts," in purge()


def test_pictures_that_no_product_shows_go_after_a_day(app, purge, media):
    shown = {"id": "b" * 32, "alt": "", "width": 320, "height": 320}
    inside(app, factories.product, images=[shown])
    kept = [
        save_picture(app, media, days=2, name=f"{'b' * 32}-320.webp"),
        save_picture(app, media, days=0.9, name=f"{'c' * 32}-320.webp"),
        media / "of-somebody-else.txt",
    ]
    kept[-1].write_text("not ours")
    os.utime(kept[-1], (0, 0))
    for width in (320, 640, 1280):
        save_picture(app, media, days=2, name=f"{PICTURE}-{width}.webp")

    assert "3 files of pictures removed" in purge()
    assert sorted(media.iterdir()) == sorted(kept)


def test_a_picture_that_is_sent_again_stays(app, purge, media):
    file = save_picture(app, media, days=2)
    app.extensions["media"].save(file.name, b"not looked at")

    assert "0 files of pictures" in purge()
    assert file.exists()


def test_what_a_crash_left_in_the_folder_is_cleared(app, purge, media):
    file = save_picture(app, media, days=2)
    file.rename(f"{file}.going")
    (media / "unfinished-x").write_bytes(b"half")
    os.utime(media / "unfinished-x", (0, 0))

    purge()

    assert [path.name for path in media.iterdir()] == [file.name]
    assert inside(app, lambda: app.extensions["media"].read(file.name)) == b"not looked at"


@pytest.mark.races
def test_a_picture_that_is_saved_while_it_is_discarded_is_there_afterwards(tmp_path):
    store, name = FolderStore(tmp_path, "/media"), f"{PICTURE}-320.webp"
    for _ in range(100):
        store.save(name, b"data")
        os.utime(tmp_path / name, (0, 0))

        at_once([lambda: store.save(name, b"data"), lambda: store.discard(name, utc_now() - DAY)])

        assert store.read(name) == b"data"
        assert [path.name for path in tmp_path.iterdir()] == [name]


def test_of_two_who_discard_a_picture_one_does(tmp_path):
    store, name = FolderStore(tmp_path, "/media"), f"{PICTURE}-320.webp"
    store.save(name, b"data")
    os.utime(tmp_path / name, (0, 0))

    assert [store.discard(name, utc_now()), store.discard(name, utc_now())] == [True, False]


def test_plain_hashes_of_networks_are_erased_and_keyed_ones_stay(app, purge, monkeypatch):
    monkeypatch.setattr(purge_service, "BATCH", 2)
    monkeypatch.setattr(upkeep, "BATCH", 2)

    def begin_sessions():
        user = factories.user()
        key = throttle_service.place_key("192.0.2.1")
        plain = [f"{number:032x}" for number in range(5)]
        for place in [*plain, key, None]:
            in_transaction(lambda place=place: session_service.begin(user.id, DAY, place))
        return key

    key = inside(app, begin_sessions)
    assert "networks in 5 sessions would go" in purge("--dry-run")
    assert {row.place for row in rows(app, Session)} > {key, None}

    assert "networks in 5 sessions removed" in purge()

    assert [row.place for row in rows(app, Session)] == [None] * 5 + [key, None]
    assert "networks" not in purge()
