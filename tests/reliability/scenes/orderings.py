"""Orderings: carts of the same few goods in every order, which must not lock one another up."""

import hashlib
import random
import threading
from collections.abc import Iterator
from datetime import datetime, timezone

from sqlalchemy import MetaData, Table, create_engine, insert, select

from tests.reliability.checker import RULES, carts
from tests.reliability.client import is_open
from tests.reliability.history import History
from tests.reliability.scenes import Report
from tests.reliability.scenes.stage import Stage, at_once, on_stage, size
from tests.reliability.setting import DEADLOCK, Setting
from tests.reliability.shopper import Shopper
from tests.reliability.violation import Violation

CARTS = 10_000
ARTICLES = 12
LINES = (2, 8)
"""From, to: lines of a cart."""
BUYERS = 32
"""Threads that order; as many requests as four workers of eight threads carry out at once."""
WITHOUT_CARTS = tuple(rule for rule in RULES if rule not in carts.RULES)
"""The rules of the checker but for those that ask who filled the carts: that was the scene itself."""
ONE_CANCELLED_IN = 5
"""Of so many orders one is cancelled at once: that locks the same goods again."""


def run(setting: Setting, history: History, rng: random.Random, scale: float) -> Report:
    """Every cart becomes an order: whoever was in a deadlock has tried again, unnoticed."""
    with on_stage(setting, history, rng) as stage:
        tokens = _fill_carts(stage, size(CARTS, scale))
        before = setting.deadlocks()
        queue, lock = iter(tokens), threading.Lock()

        def next_token() -> str | None:
            with lock:
                return next(queue, None)

        buyers = [stage.guest() for _ in range(BUYERS)]
        at_once([lambda b=b: _order_on(b, iter(next_token, None)) for b in buyers])
        orders = sum(attempt.status == 201 for attempt in history.of("place_order"))
        cancels = sum(attempt.status == 200 for attempt in history.of("cancel"))
        deadlocks = setting.deadlocks() - before
        figures = {"orders": orders, "cancels": cancels, "deadlocks": deadlocks}
        violations = [*_deadlocked(setting), *_refused(history), *_unresolved(history)]
        return Report(figures, [*violations, *stage.check(WITHOUT_CARTS)])


def _order_on(buyer: Shopper, tokens: Iterator[str]) -> None:
    for token in tokens:
        buyer.cart_token = token
        purchase = buyer.purchase()
        answer = buyer.insist(lambda purchase=purchase: buyer.place_order(purchase))
        if answer.status == 201 and buyer.rng.randrange(ONE_CANCELLED_IN) == 0:
            buyer.cancel(answer.answer["number"])


def _deadlocked(setting: Setting) -> Iterator[Violation]:
    """Deadlocks that the shop could not hide; a 503 of a machine with too much to do is none."""
    for line in setting.log.read_bytes().splitlines():
        if DEADLOCK in line:
            yield Violation("deadlock_told", line.decode("utf-8", "replace"))


def _unresolved(history: History) -> Iterator[Violation]:
    last = {attempt.key: attempt for attempt in history.of("place_order")}
    for attempt in last.values():
        if attempt.outcome == "unknown":
            yield Violation("never_resolved", f"an order was answered {attempt.status}", [attempt])


def _refused(history: History) -> Iterator[Violation]:
    for attempt in history.of("place_order", "cancel"):
        if attempt.outcome == "refused" and not is_open(attempt):
            yield Violation(
                "refused_for_nothing", f"{attempt.operation}: {attempt.raw!r}", [attempt]
            )


def _fill_carts(stage: Stage, count: int) -> list[str]:
    """The tokens of so many guests' carts, each with some of the goods in an order of chance.

    Written into the tables themselves: what is under fire here is what comes after.
    """
    for _ in range(ARTICLES):
        stage.article()
    prices = stage.facts.prices
    tokens = [f"cart-{stage.rng.getrandbits(128):032x}" for _ in range(count)]
    hashes = [hashlib.sha256(token.encode()).hexdigest() for token in tokens]
    now = datetime.now(timezone.utc)
    engine = create_engine(stage.setting.database_url)
    tables = MetaData()
    heads, lines = (Table(name, tables, autoload_with=engine) for name in ("carts", "cart_lines"))
    with engine.begin() as connection:
        connection.execute(
            insert(heads),
            [
                {"token_hash": token_hash, "created_at": now, "updated_at": now}
                for token_hash in hashes
            ],
        )
        ids = connection.scalars(select(heads.c.id).where(heads.c.token_hash.in_(hashes)))
        connection.execute(
            insert(lines),
            [
                {
                    "cart_id": cart_id,
                    "variant_id": variant,
                    "quantity": 1,
                    "price_seen": prices[variant],
                    "created_at": now,
                }
                for cart_id in ids.all()
                for variant in stage.rng.sample(list(prices), stage.rng.randint(*LINES))
            ],
        )
    engine.dispose()
    return tokens
