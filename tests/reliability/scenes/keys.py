"""Keys: every order is sent ten times in parallel, and is one order with one answer."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.reliability.history import Attempt, History
from tests.reliability.scenes import Report
from tests.reliability.scenes.stage import (
    Stage,
    at_once,
    code,
    in_turns,
    on_stage,
    rows,
    size,
)
from tests.reliability.setting import Setting
from tests.reliability.shopper import Shopper
from tests.reliability.violation import Violation
from tests.reliability.world import Article

KEYS, TIMES = 1_000, 10
KEYS_AT_ONCE = 6
"""Keys that are under way together, each in TIMES threads of its own."""
ARTICLES = 5
ONE_ACCOUNT_IN = 4
"""Of so many keys one is a customer's, the others are guests'."""
NOTES = "SELECT note FROM orders"


def run(setting: Setting, history: History, rng: random.Random, scale: float) -> Report:
    """One order for each key, told to all ten in the same bytes."""
    with on_stage(setting, history, rng) as stage:
        articles = [stage.article() for _ in range(ARTICLES)]
        people = [
            stage.guest() if index % ONE_ACCOUNT_IN else stage.customer()
            for index in range(size(KEYS, scale))
        ]
        violations = in_turns(
            [
                lambda p=p, n=n: _ten_at_once(p, articles[n % ARTICLES])
                for n, p in enumerate(people)
            ],
            KEYS_AT_ONCE,
        )
        in_use = sum(code(attempt) == "idempotency_key_in_use" for attempt in history)
        figures = {"orders": len(people), "in_use": in_use}
        return Report(
            figures,
            [*(v for some in violations for v in some), *_miscounted(stage), *stage.check()],
        )


def _ten_at_once(person: Shopper, article: Article) -> list[Violation]:
    person.add_item(article.variant_id, 1)
    purchase = person.purchase()
    answers = at_once([lambda: person.insist(lambda: person.place_order(purchase))] * TIMES)
    return list(_unequal(answers))


def _unequal(answers: Sequence[Attempt]) -> Iterator[Violation]:
    statuses = Counter(attempt.status for attempt in answers)
    if statuses != {201: TIMES}:
        yield Violation("key_not_honoured", f"one key was answered {dict(statuses)}", answers)
    elif len({attempt.raw for attempt in answers}) > 1:
        yield Violation("replays_differ", "one key was answered in different words", answers)
    elif sum(attempt.replayed for attempt in answers) != TIMES - 1:
        yield Violation("replays_unmarked", "not all but one said that they repeat", answers)


def _miscounted(stage: Stage) -> Iterator[Violation]:
    asked = {attempt.key for attempt in stage.history.of("place_order")}
    stored = Counter(row.note for row in rows(stage.setting, NOTES))
    for key in asked - stored.keys():
        yield Violation("order_lost", f"no order for the key {key}")
    for key, orders in stored.items():
        if orders > 1:
            yield Violation("ordered_twice", f"{orders} orders for the key {key}")
