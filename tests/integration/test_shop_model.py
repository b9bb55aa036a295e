"""The shop against a reference model: whatever is done in whatever order, both say the same."""

from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from werkzeug.test import TestResponse

from app.domain.money import to_text
from app.services.audit import books
from tests import factories
from tests.integration.books import assert_books_balance
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import inside
from tests.integration.shop_model import FOLLOWS, Goods, Model

EXAMPLES = {"sqlite": 40, "postgresql": 5}
PEOPLE = GOODS = st.integers(0, 1)
QUANTITIES = st.integers(1, 6)


class Shop(RuleBasedStateMachine):
    """Two customers, two articles of which there are few, and staff."""

    app: Flask
    admin: Caller

    @initialize(stocks=st.tuples(st.integers(0, 8), st.integers(0, 8)))
    def open(self, stocks: tuple[int, int]) -> None:
        """Fresh goods and people: what earlier examples left behind is nobody's."""
        made = [inside(self.app, factories.product, stock=stock) for stock in stocks]
        goods = [
            Goods(p.variants[0].id, p.id, p.price, n) for p, n in zip(made, stocks, strict=True)
        ]
        self.people = [signed_in(self.app), signed_in(self.app)]
        self.model = Model({one.variant_id: one for one in goods}, {0: {}, 1: {}})
        self.variants = [one.variant_id for one in goods]

    @rule(person=PEOPLE, article=GOODS, quantity=QUANTITIES)
    def add(self, person: int, article: int, quantity: int) -> None:
        """Put more of something into a cart."""
        variant = self.variants[article]
        wanted = self.model.carts[person].get(variant, 0) + quantity
        body = {"variant_id": variant, "quantity": quantity}

        answer = self.people[person].post("/api/cart/items", json=body)

        status, code = self.model.put(person, variant, wanted)
        self._agrees(answer, 201 if status == 200 else status, code)
        self._shows_cart(answer, person)

    @rule(person=PEOPLE, article=GOODS, quantity=st.integers(0, 8))
    def change(self, person: int, article: int, quantity: int) -> None:
        """Set the quantity of a line, where there is one; 0 removes it."""
        variant = self.variants[article]
        lines = self.people[person].get("/api/cart").json["items"]
        found = [line["id"] for line in lines if line["variant_id"] == variant]
        assert bool(found) is (variant in self.model.carts[person])

        for line in found:
            answer = self.people[person].patch(
                f"/api/cart/items/{line}", json={"quantity": quantity}
            )
            self._agrees(answer, *self.model.put(person, variant, quantity))
            self._shows_cart(answer, person)

    @rule(person=PEOPLE)
    def order(self, person: int) -> None:
        """Order what is in the cart, whole or not at all."""
        answer = self.people[person].post("/api/orders", json={})

        status, code = self.model.order(person)
        self._agrees(answer, status, code)
        if code == "out_of_stock":
            short = {shortage["variant_id"] for shortage in answer.json["shortages"]}
            assert short == self.model.short(person)
        if status == 201:
            self._is_told(answer.json, self.model.placed(person, answer.json["number"]))

    @precondition(lambda self: self.model.orders)
    @rule(choice=st.randoms(use_true_random=False), person=PEOPLE)
    def cancel(self, choice: Any, person: int) -> None:
        """Cancel an order; somebody else's is not found."""
        number = choice.choice(list(self.model.orders))

        answer = self.people[person].post(f"/api/orders/{number}/cancel")

        if person != self.model.orders[number].owner:
            return self._agrees(answer, 404, "not_found")
        return self._agrees(answer, *self.model.move(number, "cancelled"))

    @precondition(lambda self: self.model.orders)
    @rule(choice=st.randoms(use_true_random=False), status=st.sampled_from(sorted(FOLLOWS)))
    def move(self, choice: Any, status: str) -> None:
        """Move an order along, or try to."""
        number = choice.choice(list(self.model.orders))

        answer = self.admin.patch(f"/api/orders/{number}/status", json={"status": status})

        self._agrees(answer, *self.model.move(number, status))
        if answer.status_code == 200:
            self._is_told(answer.json, self.model.orders[number])

    @rule(article=GOODS, on_hand=st.integers(0, 10))
    def count(self, article: int, on_hand: int) -> None:
        """Count what is on hand."""
        goods = self.model.goods[self.variants[article]]
        body = {"on_hand": on_hand, "reason": "counted"}

        answer = self.admin.post(f"/api/products/{goods.product_id}/stock", json=body)

        self._agrees(answer, *self.model.count(goods.variant_id, on_hand))

    @rule(article=GOODS, price=st.integers(0, 10_000))
    def reprice(self, article: int, price: int) -> None:
        """Change a price: of carts from now on, of no order."""
        goods = self.model.goods[self.variants[article]]
        goods.price = price

        body = {"price": to_text(price, "USD")}
        answer = self.admin.patch(f"/api/products/{goods.product_id}", json=body)

        self._agrees(answer, 200, "")

    @rule(person=PEOPLE)
    def look(self, person: int) -> None:
        """Look into a cart, after whatever happened to its prices and stock."""
        self._shows_cart(self.people[person].get("/api/cart"), person)

    def teardown(self) -> None:
        """At the end stock and orders are the model's, and the shop's own audit finds nothing."""
        for goods in self.model.goods.values():
            answer = self.admin.post(
                f"/api/products/{goods.product_id}/stock", json={"delta": 0, "reason": "looked"}
            )
            figures = (answer.json["on_hand"], answer.json["allocated"], answer.json["stock"])
            assert figures == (goods.on_hand, goods.allocated, goods.available)
        for number, order in self.model.orders.items():
            shown = self.people[order.owner].get(f"/api/orders/{number}").json
            self._is_told(shown, order)
        inside(self.app, assert_books_balance)
        assert inside(self.app, lambda: list(books.violations())) == []

    def _shows_cart(self, answer: TestResponse, person: int) -> None:
        if answer.status_code < 300:
            shown = answer.json
            quantities = {line["variant_id"]: line["quantity"] for line in shown["items"]}
            assert quantities == self.model.carts[person]
            assert shown["subtotal"] == to_text(self.model.subtotal(person), "USD")

    @staticmethod
    def _agrees(answer: TestResponse, status: int, code: str) -> None:
        assert (answer.status_code, answer.json.get("code", "")) == (status, code)

    @staticmethod
    def _is_told(shown: dict[str, Any], order: Any) -> None:
        assert shown["status"] == order.status
        assert shown["total"] == to_text(order.total, "USD")
        lines = {line["variant_id"]: line["quantity"] for line in shown["items"]}
        assert lines == {key: count for key, (count, _price) in order.lines.items()}


@pytest.mark.slow
@pytest.mark.usefixtures("app")
def test_the_shop_and_the_model_say_the_same(app, admin, database):
    machine = type("ThisShop", (Shop,), {"app": app, "admin": admin})
    examples = EXAMPLES["sqlite" if database.startswith("sqlite") else "postgresql"]

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            derandomize=True,  # the same for everybody who runs the tests
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
