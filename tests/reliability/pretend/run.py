"""Runs of people against a pretend shop: interleaved at will, with answers lost at will."""

import heapq
import json
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from tests.reliability.facts import WorldFacts
from tests.reliability.history import Attempt, History
from tests.reliability.ledgers import Books
from tests.reliability.pretend.shop import PretendShop, Sent

Script = Generator[Sent, Attempt, None]
HOT, PLENTY = (1, 2), (3, 4, 5)
PRICES = {variant_id: 100 * variant_id for variant_id in (*HOT, *PLENTY)}
STOCK = {**dict.fromkeys(HOT, 6), **dict.fromkeys(PLENTY, 5000)}
FATES = {
    "answered": 80, "lost": 6, "lost, and done late": 3, "never came": 4, "503": 3, "503, but done": 2,
}  # fmt: skip
LINGER = 5.0


@dataclass
class Run:
    """What a run leaves behind."""

    history: History
    books: Books
    facts: WorldFacts
    shop: PretendShop


class Stage:
    """Moves everybody along by one clock; each request meets the shop at one moment of chance."""

    def __init__(self, shop: PretendShop, rng: random.Random) -> None:
        self.shop, self.rng = shop, rng
        self.history = History()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._now = 0.0

    def enter(self, script: Script) -> None:
        """Somebody begins; two scripts of one person are that person in two threads."""
        self._at(self.rng.uniform(0, 3), lambda: self._send(script, next(script, None)))

    def play(self) -> None:
        """Until all is over."""
        while self._agenda:
            self._now, _, act = heapq.heappop(self._agenda)
            act()

    def _at(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self._now + seconds, next(self._order), act))

    def _send(self, script: Script, sent: Sent | None) -> None:
        if sent is None:
            return
        fate = self.rng.choices(list(FATES), list(FATES.values()))[0]
        start, done, answered = self._now, self.rng.uniform(0.01, 1), self.rng.uniform(0.01, 0.5)
        late = self.rng.uniform(0.1, LINGER * 0.9) if fate == "lost, and done late" else 0.0
        came: list[tuple[int, Any, bool]] = []

        def carry_out() -> None:
            self.shop.now = self._now
            status, answer, replayed = self.shop.handle(sent)
            came.append((status, json.loads(json.dumps(answer)), replayed))

        def answer() -> None:
            what = came[0] if came and fate == "answered" else (None, None, False)
            if fate.startswith("503"):
                what = (503, {"code": "unavailable"}, False)
            attempt = _attempt(sent, start, self._now, *what)
            self.history.append(attempt)
            pause = self.rng.choice((0.001, self.rng.uniform(0, 1)))
            self._at(pause, lambda: self._send(script, _next(script, attempt)))

        if fate not in ("never came", "503"):
            self._at(done + (answered + late if late else 0), carry_out)
        self._at(done + answered, answer)


def play(seed: int, make: type[PretendShop] = PretendShop, people: int = 6, acts: int = 8) -> Run:
    """A run of that many people, each in two threads, with staff among them."""
    rng = random.Random(seed)
    shop = make(PRICES, STOCK)
    stage = Stage(shop, rng)
    numbers: list[str] = []
    for index in range(people):
        person = _Person(f"shopper-{index}", stage, numbers)
        stage.enter(person.live(acts))
    for index in range(2):
        stage.enter(_staff(f"staff-{index}", rng, numbers, acts * 2))
    stage.play()
    facts = WorldFacts(2, dict(STOCK), dict(PRICES), dict(shop.users), LINGER, cache_lag=0.0)
    return Run(stage.history, shop.books(), facts, shop)


class _Person:
    """A guest who may sign in, fills a cart, orders, cancels, and looks at it all."""

    def __init__(self, label: str, stage: Stage, numbers: list[str]) -> None:
        self.label, self.stage, self.rng, self.numbers = label, stage, stage.rng, numbers
        self.account: str | None = None
        self.token: str | None = None
        self.mine: list[str] = []
        self._tokens = count()

    def live(self, acts: int) -> Script:
        if self.rng.random() < 0.8:
            yield from self._join()
            self.stage.enter(self._act(acts // 2))
        yield from self._act(acts)
        if self.account:
            yield self._sent("list_orders", page=1, per_page=3)
        yield from self._insist(self._sent("read_cart"))

    def _act(self, acts: int) -> Script:
        for _ in range(acts):
            act = self.rng.choices(
                (self._add, self._edit, self._look, self._order, self._review), (6, 2, 2, 5, 3)
            )[0]
            yield from act()

    def _join(self) -> Script:
        """Some fill a cart first, of which both can be merged."""
        yield from self._insist(self._sent("register", path="/api/auth/register"))
        for _ in range(self.rng.randint(0, 2)):
            yield from self._add()
        yield from self._insist(self._sent("login", path="/api/auth/login"))
        self.account, self.token = self.label, None
        if self.rng.random() < 0.5:
            yield from self._add()
            yield from self._leave_and_come_back()

    def _leave_and_come_back(self) -> Script:
        self.account = None
        yield from self._add()
        yield from self._insist(self._sent("login", path="/api/auth/login"))
        self.account, self.token = self.label, None

    def _add(self) -> Script:
        variant_id = self.rng.choice((*HOT, *PLENTY))
        if self.account is None and self.token is None:
            token = f"{self.label}-{next(self._tokens)}"
            wish = self._sent("add_item", variant_id=variant_id, quantity=1, opens=token)
            attempt = yield replace(wish, token=token)
            if attempt.outcome == "ok":
                self.token = token
            return
        quantity = self.rng.randint(1, 3)
        yield self._sent("add_item", variant_id=variant_id, quantity=quantity)

    def _edit(self) -> Script:
        variant_id = self.rng.choice((*HOT, *PLENTY))
        operation = self.rng.choice(("change_item", "remove_item", "empty_cart"))
        quantity = self.rng.randint(1, 2) if operation == "change_item" else 0
        yield self._sent(operation, variant_id=variant_id, quantity=quantity)

    def _look(self) -> Script:
        yield self._sent("read_cart")
        yield self._sent("read_product", variant_id=self.rng.choice((*HOT, *PLENTY)))

    def _order(self) -> Script:
        if self.account is None and self.token is None:
            return
        key = f"{self.label}-{self.rng.getrandbits(60)}"
        body = {"note": key}
        sent = self._sent(
            "place_order", path="/api/orders", body=body, key=key, guest=self.account is None
        )
        attempt = yield sent
        while attempt.outcome == "unknown" or self.rng.random() < 0.15:
            attempt = yield sent
        if attempt.outcome == "ok":
            self.mine.append(attempt.answer["number"])
            self.numbers.append(attempt.answer["number"])

    def _review(self) -> Script:
        if self.account:
            yield self._sent("list_orders", page=1, per_page=3)
        if self.mine:
            number = self.rng.choice(self.mine)
            yield self._sent("read_order", number=number)
            if self.rng.random() < 0.6:
                yield from self._insist(self._sent("cancel", number=number))

    def _insist(self, sent: Sent) -> Script:
        attempt = yield sent
        while attempt.outcome == "unknown":
            attempt = yield sent

    def _sent(
        self, operation: str, path: str = "/api/cart", body: Any = None, key: str | None = None,
        **about: Any,
    ) -> Sent:  # fmt: skip
        about["cart"] = "account" if self.account else self.token or "nobody"
        return Sent(operation, self.label, path, body, key, self.account, self.token, about)


def _staff(label: str, rng: random.Random, numbers: list[str], acts: int) -> Script:
    for _ in range(acts):
        variant_id = rng.choice((*HOT, *PLENTY))
        choice = rng.choice(("change_price", "adjust_stock", "set_status", "read_product"))
        about: dict[str, Any] = {"variant_id": variant_id}
        body: dict[str, Any] = {}
        if choice == "change_price":
            about["price"] = rng.randint(100, 999)
        elif choice == "adjust_stock":
            about["delta"] = rng.choice((-2, -1, 1, 2, 3))
            body["reason"] = rng.choice(("counted", f"count {rng.getrandbits(60)}"))
        elif choice == "set_status":
            if not numbers:
                continue
            about["number"] = rng.choice(numbers)
            body["status"] = rng.choice(("processing", "shipped", "delivered", "cancelled"))
        yield Sent(choice, label, "/api/orders", body, about=about)


def _next(script: Script, attempt: Attempt) -> Sent | None:
    try:
        return script.send(attempt)
    except StopIteration:
        return None


def _attempt(
    sent: Sent, start: float, end: float, status: int | None, answer: Any, replayed: bool
) -> Attempt:
    raw = json.dumps(answer, sort_keys=True).encode() if status else b""
    return Attempt(
        sent.operation, sent.user, "POST", sent.path, sent.key, sent.body, start, end, status,
        answer, raw, replayed, dict(sent.about),
    )  # fmt: skip
