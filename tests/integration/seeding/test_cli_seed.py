"""`seed-db`: a shop worth looking at, made once."""

import os
import pty
import subprocess
import sys

import pytest
from sqlalchemy import func, select, text

from app.config import ROOT
from app.db.unit_of_work import in_transaction
from app.domain.order_status import STATUSES
from app.domain.people.actor import SYSTEM
from app.domain.people.passwords import weakness
from app.extensions import db
from app.models import Base, Category, Event, Order, Product, Store, User, Variant
from app.services.messages import subscribers
from app.services.operations import store_service
from app.services.seeding import seed_service
from app.services.seeding.content import minor
from tests import factories
from tests.factories import count
from tests.processes import side_by_side

pytestmark = pytest.mark.processes

SCRIPT = ROOT / "scripts" / "seed_db.py"
RUN = "import runpy; sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"


@pytest.fixture
def shop(app):
    with app.app_context():
        yield app


@pytest.fixture
def flask(shop):
    """Run a command; its result."""
    return lambda *args, **options: shop.test_cli_runner().invoke(args=args, **options)


def everything():
    """How many rows each table has."""
    db.session.rollback()
    return {
        table.name: db.session.scalar(select(func.count()).select_from(table))
        for table in Base.metadata.sorted_tables
    }


def test_the_demo_shop_is_worth_looking_at(flask):
    result = flask("seed-db")

    assert result.exit_code == 0
    assert result.stdout.startswith("seed-db: 70 products, 30 orders.")
    assert count(Category) == 12
    assert count(Product) >= 60
    assert count(Variant) > 2 * count(Product)
    assert set(db.session.scalars(select(Order.status))) == set(STATUSES)
    assert db.session.scalar(select(func.count()).where(Product.compare_at_price.is_not(None))) > 5
    assert db.session.scalar(select(func.count()).where(Variant.on_hand == 0)) > 5


def test_its_books_are_right(flask):
    flask("seed-db", "--products", "90", "--orders", "60")

    result = flask("audit")

    assert result.stdout.startswith("audit: 90 products, ")
    assert result.stdout.endswith("0 violations.\n")
    assert result.exit_code == 0


def test_what_is_seeded_is_in_the_feed_and_tells_nobody(flask, monkeypatch):
    told = []
    monkeypatch.setattr(subscribers, "SUBSCRIBERS", [told.extend])
    flask("seed-db", "--products", "90", "--orders", "60")

    placed = select(func.count()).where(Event.type == "order.placed", Event.seq.is_not(None))
    assert db.session.scalar(placed) == 60
    db.session.rollback()
    assert in_transaction(subscribers.relay_events) == 0
    assert told == []


def test_postgresql_knows_at_once_how_much_came_in(flask):
    flask("seed-db", "--products", "90")

    if db.engine.dialect.name == "postgresql":
        known = text("SELECT reltuples FROM pg_class WHERE relname = 'products'")
        assert db.session.scalar(known) == 90


def test_the_demo_logins_are_printed_and_work(flask, anyone):
    result = flask("seed-db")

    for (email, password), role in (
        (seed_service.DEMO_CUSTOMER, "customer"),
        (seed_service.DEMO_ADMIN, "admin"),
    ):
        assert f"{email} / {password}" in result.stdout
        assert weakness(password) is None
        answer = anyone.post("/api/auth/login", json={"email": email, "password": password})
        assert answer.status_code == 200
        db.session.rollback()
        assert db.session.scalar(select(User.role).where(User.email == email)) == role


def test_the_demo_shop_has_a_seller_and_a_plain_one_has_none(flask):
    flask("seed-db")
    settings = store_service.settings()

    assert settings.missing == ()
    assert settings.seller == "ShopSwift Demo Inc"
    assert settings.address_lines == ("12 Market Street", "97204 Portland", "United States")
    assert (settings.name, settings.prices_include_tax) == ("ShopSwift", False)


def test_a_plain_demo_shop_leaves_the_settings_alone(flask):
    flask("seed-db", "--plain")

    assert count(Product) == 70
    assert store_service.settings().version == 1


def test_what_staff_have_set_is_not_overwritten(flask):
    in_transaction(lambda: store_service.update_settings(SYSTEM, {"legal_name": "Ours"}))

    flask("seed-db")

    settings = store_service.settings()
    assert (settings.seller, settings.country) == ("Ours", None)


def test_it_can_be_found_by_the_api(flask, anyone):
    flask("seed-db", "--products", "75")

    answer = anyone.get("/api/products?q=mug&in_stock=true")

    assert {"Stoneware Mug", "Enamel Camp Mug"} <= {item["name"] for item in answer.json["items"]}


def test_a_second_run_changes_nothing_and_says_so(flask):
    flask("seed-db", "--products", "80", "--orders", "40")
    before = everything()

    result = flask("seed-db", "--products", "80", "--orders", "40")

    assert everything() == before
    assert result.stdout.startswith("seed-db: nothing to do, there are 80 products, 40 orders.")
    assert "demo admin: " in result.stdout


def test_more_products_and_orders_fill_up_to_the_number(flask):
    flask("seed-db", "--products", "80")
    flask("seed-db", "--products", "120", "--orders", "1100")

    assert (count(Product), count(Order)) == (120, 1100)
    assert flask("audit").exit_code == 0


def test_another_random_seed_makes_other_things(flask):
    names = []
    for seed in ("1", "1", "2"):
        flask("seed-db", "--reset", "--yes", "--products", "80", "--random-seed", seed)
        db.session.rollback()
        names.append(sorted(db.session.scalars(select(Product.name))))

    assert names[0] == names[1] != names[2]


def test_a_reset_empties_all_tables_first(flask):
    factories.product(sku="OURS")
    flask("seed-db")

    result = flask("seed-db", "--reset", "--yes")

    assert result.exit_code == 0
    assert db.session.scalar(select(Variant.id).where(Variant.sku == "OURS")) is None
    assert (count(Store), count(Product), count(Order)) == (1, 70, 30)
    assert flask("audit").exit_code == 0


def test_a_reset_without_yes_is_refused_where_nobody_can_be_asked(flask):
    factories.product()

    result = flask("seed-db", "--reset")

    assert result.exit_code == 2
    assert count(Product) == 1


@pytest.mark.parametrize(("answer", "products"), [("n\n", 1), ("y\n", 70)])
def test_a_reset_asks_on_a_terminal(flask, monkeypatch, answer, products):
    factories.product()
    monkeypatch.setattr("app.cli.seed.is_terminal", lambda: True)

    flask("seed-db", "--reset", input=answer)

    assert count(Product) == products


def test_a_shop_with_products_of_its_own_keeps_them(flask):
    factories.product(slug="stoneware-mug", sku="OURS")
    factories.category(slug="kitchen", name="Our kitchen")

    flask("seed-db")

    assert (count(Product), count(Category)) == (71, 12)
    assert (
        db.session.scalar(select(Category.name).where(Category.slug == "kitchen")) == "Our kitchen"
    )


def test_where_an_article_number_is_taken_nothing_is_made(flask):
    factories.product(sku="POT-CAST-3L")

    flask("seed-db")

    assert count(Product) == 1


def test_orders_need_something_to_buy(shop):
    assert seed_service.add_orders(10, "USD", 1, factories.user().created_at) == 0


def test_production_gets_no_demo_logins_unless_that_is_meant(shop, flask, monkeypatch):
    monkeypatch.setitem(shop.config, "NAME", "production")

    refused = flask("seed-db")
    meant = flask("seed-db", "--in-production")

    assert (refused.exit_code, meant.exit_code) == (1, 0)
    assert "no good in production" in refused.stderr


@pytest.mark.parametrize("number", ["-1", "1000001", "many"])
def test_a_number_that_is_none_is_wrong_usage(flask, number):
    assert flask("seed-db", "--products", number).exit_code == 2


@pytest.mark.parametrize(
    ("currency", "expected"), [("USD", 4900), ("JPY", 4900), ("KWD", 49000), ("CLF", 490000)]
)
def test_prices_fit_the_currency(currency, expected):
    assert minor("49.00", currency) == expected


def test_a_terminal_sees_how_far_it_is(shop, environ):
    ours, theirs = pty.openpty()

    result = subprocess.run(
        [sys.executable, str(SCRIPT), "--products", "100"],
        env={**environ, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    seen = os.read(ours, 10_000).decode()
    os.close(ours)

    assert result.returncode == 0
    assert "products" in seen
    assert "100%" in seen


@pytest.mark.races
def test_two_who_seed_at_once_make_one_shop(shop, environ):
    arguments = ["--products", "2000", "--orders", "300"]

    ended = side_by_side(2, RUN, str(SCRIPT), *arguments, environ=environ)

    assert ended.returncode == 0, ended.stderr
    assert (count(Product), count(Order)) == (2000, 300)
    assert shop.test_cli_runner().invoke(args=["audit"]).exit_code == 0
