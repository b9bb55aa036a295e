"""How many statements a list costs: the same for twenty products as for a hundred."""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.db import cleanup
from tests import factories
from tests.sql import watched

pytestmark = pytest.mark.thorough


@contextmanager
def counted(app) -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    statements: list[str] = []

    def note(statement, _given):
        # How large the shop is is asked once a minute, its name on pages once a second.
        if not statement.startswith("BEGIN") and not re.search("reltuples|FROM store", statement):
            statements.append(statement)

    with watched(app, note):
        yield statements


@pytest.fixture
def shop(app):
    """A hundred products of two variants in ten categories."""
    with app.app_context():
        ids = [factories.category(slug=f"c{n}").id for n in range(10)]
        for n in range(100):
            variants = [{"options": {"N": str(place)}} for place in range(2)]
            factories.product_with_variants(variants, name=f"Lamp {n}", category_id=ids[n % 10])


STATEMENTS = {
    "": 2,
    "&q=lamp+1": 2,
    "&q=lamp&sort=name": 2,
    "&category=c1": 3,
    "&in_stock=true&min_price=1&sort=price": 2,
    "&cursor=": 2,
}


def test_a_list_costs_the_same_few_statements_at_any_length(app, shop, anyone):
    costs = {}
    for query, per_page in itertools.product(STATEMENTS, (20, 100)):
        with counted(app) as run:
            response = anyone.get(f"/api/products?per_page={per_page}{query}")
        assert response.status_code == 200
        costs[query, per_page] = len(run)

    assert costs == {(query, n): STATEMENTS[query] for query in STATEMENTS for n in (20, 100)}


def test_words_that_find_nothing_cost_two_more_attempts_at_most(app, shop, anyone):
    with counted(app) as run:
        assert anyone.get("/api/products?q=nothing-like-it").json["total"] == 0

    assert len(run) <= 6


@pytest.mark.only_on("postgresql")
def test_slips_of_the_keyboard_cost_one_statement_for_all_words_and_those_of_a_list(
    app, shop, anyone
):
    with counted(app) as run:
        assert anyone.get("/api/products?q=lmap+lapm+1").json["total"] > 0
        with_slips = len(run)
        run.clear()
        assert anyone.get("/api/products?q=987654321").json["total"] == 0

    assert with_slips == len(run) + 1 + STATEMENTS["&q=lamp+1"]


def test_a_product_is_read_in_one_statement(app, shop, anyone):
    with counted(app) as run:
        anyone.get("/api/products/lamp-1")
        id_ = anyone.get("/api/products?per_page=1").json["items"][0]["id"]
        run.clear()
        assert anyone.get(f"/api/products/{id_}").status_code == 200

    assert len(run) == 1


def test_a_sign_in_costs_eight_statements(app, anyone):
    with app.app_context():
        email = factories.user().email
    signed_in = {"email": email, "password": factories.PASSWORD}
    anyone.post("/api/auth/login", json={**signed_in, "password": "first, unlike the others"})
    anyone.post("/api/auth/login", json=signed_in)

    costs = []
    for _ in range(cleanup.INTERVAL):
        with counted(app) as run:
            assert anyone.post("/api/auth/login", json=signed_in).status_code == 200
        costs.append(len(run))

    # The account, its counts (read, locked, deleted), the account locked, its second factor (read after
    # the lock), the session and the line of the security log. One of them deletes sessions that ended
    # long ago.
    assert sorted(costs) == [8] * (cleanup.INTERVAL - 1) + [9]


def test_categories_cost_one_statement_however_many_there_are(app, shop, anyone):
    with counted(app) as run:
        assert anyone.get("/api/categories?per_page=100").status_code == 200

    assert len(run) == 1


def test_a_list_that_was_just_asked_for_costs_none(app, shop, anyone):
    first = anyone.get("/api/products")

    with counted(app) as run:
        again = anyone.get("/api/products")

    assert run == [] or again.data == first.data
