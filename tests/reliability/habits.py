"""How people behave while the shop is under fire: what they do next is drawn from their dice."""

import random
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from tests.reliability.client import WAY_HOME, is_open, together
from tests.reliability.history import Attempt
from tests.reliability.shopper import Purchase, Shopper
from tests.reliability.staff import Staff
from tests.reliability.world import PLACES, Article, World

T = TypeVar("T")
VISITS = 8
"""After so many orders a shopper leaves, and somebody new comes."""


class ShoppersLife:
    """One shopper, from the first look to the last: mostly orders, in all the ways of doing it."""

    def __init__(self, shopper: Shopper, world: World, closing: threading.Event) -> None:
        self._me, self._world, self._closing = shopper, world, closing
        self._rng = shopper.rng

    def live(self, errand: int) -> None:
        """Arrive, order a few times, and leave, or be asked to leave as the shop closes.

        With equal shares of `errand` everything is done by somebody, in however short a run.
        """
        self._run(errand)
        if self._happens(0.7):
            self._open_account()
        for _ in range(VISITS):
            if self._closing.is_set():
                break
            self._visit()
        self._leave()

    def _open_account(self) -> None:
        self._me.register()
        self._me.sign_in()
        self._world.facts.users[self._me.label] = self._me.learn_id()

    def _run(self, errand: int) -> None:
        article = self._rng.choice(self._world.plenty)
        self._me.sure(lambda: self._add(article))
        if self._me.cart:
            item = self._me.cart[0]
            deeds: list[Callable[[], Attempt]] = [
                lambda: self._me.read_product(article.product_id, article.variant_id),
                lambda: self._me.change_item(item, 5),
                lambda: self._me.remove_item(item),
                self._me.empty_cart,
            ]
            self._me.sure(deeds[errand % len(deeds)])

    def _visit(self) -> None:
        self._fill_cart()
        if self._me.is_guest and self._happens(0.4):
            self._open_account()
            self._me.read_cart()
        if self._me.cart or self._happens(0.05):
            self._check_out()
        self._think()
        self._look_after_orders()
        if not self._me.is_guest and self._happens(0.2):
            self._me.renew()

    def _leave(self) -> None:
        self._me.read_cart()
        if not self._me.is_guest:
            self._me.list_orders()
            self._me.sign_out()
        self._me.close()

    def _fill_cart(self) -> None:
        for _ in range(self._rng.randint(1, 3)):
            article = self._article()
            if self._happens(0.15):
                self._me.read_product(article.product_id, article.variant_id)
            self._me.sure(lambda article=article: self._add(article))  # type: ignore[misc]
        while self._me.cart and self._happens(0.25):
            self._me.sure(self._some_edit())

    def _add(self, article: Article) -> Attempt:
        return self._me.add_item(article.variant_id, self._rng.randint(1, 3))

    def _some_edit(self) -> Callable[[], Attempt]:
        """Something to do to a cart that may have lines."""
        me, article = self._me, self._article()
        edits: list[tuple[Callable[[], Attempt], int]] = [(lambda: self._add(article), 4)]
        if me.cart:
            item = self._rng.choice(me.cart)
            quantity = self._rng.randint(0, 4)
            edits += [
                (lambda: me.change_item(item, quantity), 4),
                (lambda: me.remove_item(item), 2),
                (me.empty_cart, 1),
            ]
        return self._drawn(edits)

    def _check_out(self) -> None:
        wishes: dict[str, Any] = {}
        if self._happens(0.2):
            self._me.read_cart()
            wishes["expected_total"] = str(
                sum((Decimal(item["line_total"]) for item in self._me.cart), Decimal("0.00"))
            )
        purchase = self._me.purchase(**wishes)
        ways: list[tuple[Callable[[Purchase], None], int]] = [
            (lambda _purchase: None, 3),
            (self._impatiently, 2),
            (self._twice_at_once, 2),
            (self._while_editing, 3),
        ]
        self._drawn(ways)(purchase)
        attempt = self._me.insist(lambda: self._me.place_order(purchase))
        if attempt.outcome == "ok":
            self._world.placed.append(attempt.answer["number"])
        if self._happens(0.25):
            self._me.insist(lambda: self._me.place_order(purchase))
        if self._happens(0.3) or is_open(attempt):
            self._me.read_cart()

    def _impatiently(self, purchase: Purchase) -> None:
        self._me.place_order(purchase, patience=self._rng.uniform(0.01, 0.2))

    def _twice_at_once(self, purchase: Purchase) -> None:
        together([lambda: self._me.place_order(purchase)] * self._rng.randint(2, 3))

    def _while_editing(self, purchase: Purchase) -> None:
        if self._me.is_guest and self._me.cart_token is None:
            return  # an edit would open another cart
        edit = self._some_edit()
        answers = together([lambda: self._me.place_order(purchase), edit])
        if any(answer.outcome == "unknown" for answer in answers):
            time.sleep(WAY_HOME)
        self._me.read_cart()

    def _look_after_orders(self) -> None:
        me = self._me
        if me.numbers and self._happens(0.35):
            self._cancel(self._rng.choice(me.numbers[-3:]))
        if me.numbers and self._happens(0.2):
            me.read_order(self._rng.choice(me.numbers))
        if not me.is_guest and self._happens(0.5):
            me.list_orders()

    def _cancel(self, number: str) -> None:
        answers = []
        if self._happens(0.5):
            answers = together([lambda: self._me.cancel(number)] * 2)
        if not answers or any(is_open(answer) for answer in answers):
            self._me.insist(lambda: self._me.cancel(number))
        self._me.read_order(number)

    def _article(self) -> Article:
        return self._rng.choice(self._world.hot if self._happens(0.5) else self._world.plenty)

    def _happens(self, chance: float) -> bool:
        return self._rng.random() < chance

    def _drawn(self, choices: list[tuple[T, int]]) -> T:
        return drawn(self._rng, choices)

    def _think(self) -> None:
        self._closing.wait(self._rng.uniform(0.0, 0.1))


class StaffsDay:
    """What one of the staff does all day: prices, deliveries, parcels."""

    def __init__(self, staff: Staff, world: World, closing: threading.Event) -> None:
        self._me, self._world, self._closing = staff, world, closing
        self._rng = staff.rng

    def work(self) -> None:
        """One thing after the other until the shop closes."""
        self._look()
        deeds = [(self._price, 3), (self._count, 3), (self._move_along, 5), (self._look, 1)]
        while not self._closing.wait(self._rng.uniform(0.05, 0.3)):
            drawn(self._rng, deeds)()
        self._pack_last_parcel()

    def _price(self) -> None:
        article = self._rng.choice(self._world.articles)
        price = self._rng.randint(100, 9999)
        self._me.change_price(article.product_id, article.variant_id, price, PLACES)

    def _count(self) -> None:
        article = self._rng.choice(self._world.hot)
        delta = self._rng.choice([-3, -2, -1, 2, 4, 6, 10])
        self._me.adjust_stock(article.product_id, article.variant_id, delta)

    def _move_along(self) -> None:
        statuses = [("processing", 5), ("shipped", 4), ("delivered", 2), ("cancelled", 2)]
        if self._world.placed:
            number = self._rng.choice(self._world.placed)
            self._me.set_status(number, drawn(self._rng, statuses))

    def _pack_last_parcel(self) -> None:
        """In however short a run an order is moved along; most of the newest are still pending."""
        for number in reversed(list(self._world.placed)):
            if self._me.set_status(number, "processing").outcome == "ok":
                return

    def _look(self) -> None:
        article = self._rng.choice(self._world.articles)
        self._me.read_stock(article.product_id, article.variant_id)


def drawn(rng: random.Random, choices: list[tuple[T, int]]) -> T:
    """One of these things, each as likely as its number says."""
    things, weights = zip(*choices, strict=True)
    chosen: T = rng.choices(things, weights)[0]
    return chosen
