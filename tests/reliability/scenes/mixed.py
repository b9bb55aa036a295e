"""Mixed load: everybody does everything at once, while all that can fail fails."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.reliability import world
from tests.reliability.checker import check
from tests.reliability.facts import WorldFacts
from tests.reliability.faults import Fault, Faults, hits
from tests.reliability.habits import ShoppersLife, StaffsDay
from tests.reliability.history import History
from tests.reliability.ledgers import read_books
from tests.reliability.scenes import Report
from tests.reliability.setting import Setting
from tests.reliability.shopper import Shopper
from tests.reliability.violation import Violation
from tests.reliability.world import World

SHOPPERS = 64
FULL_SECONDS = 600.0
MUST_SUCCEED = frozenset({
    "register", "login", "refresh", "logout",
    "read_cart", "add_item", "change_item", "remove_item", "empty_cart",
    "place_order", "cancel", "read_order", "list_orders", "read_product",
    "change_price", "adjust_stock", "set_status", "read_stock",
})  # fmt: skip


def run(setting: Setting, history: History, rng: random.Random, scale: float) -> Report:
    """64 shoppers and four of the staff for ten minutes, or a part of them."""
    town = world.build(setting, history, rng)
    faults = Faults(setting, history, rng, FULL_SECONDS * scale)
    _trade(setting, history, rng, town, faults)
    _tell(town.facts, faults.log, setting)
    books = read_books(setting.database_url)
    violations = [
        *check(history, books, town.facts),
        *_audit(setting),
    ]
    return Report(_figures(setting, history, faults.log), violations)


def _trade(
    setting: Setting, history: History, rng: random.Random, town: World, faults: Faults
) -> None:
    """Let everybody in, let things go wrong, and end with everybody gone and all well."""
    closing = threading.Event()
    seeds = [rng.getrandbits(64) for _ in range(SHOPPERS)]

    def shop(index: int) -> None:
        dice = random.Random(seeds[index])
        life = 0
        while not closing.is_set():
            label = f"shopper-{index}-{life}"
            ShoppersLife(Shopper(label, setting, history, dice), town, closing).live(index)
            life += 1

    with ThreadPoolExecutor(SHOPPERS + len(town.staff)) as people:
        at_work = [people.submit(StaffsDay(one, town, closing).work) for one in town.staff]
        here = [people.submit(shop, index) for index in range(SHOPPERS)]
        try:
            faults.run()
        finally:
            closing.set()
        for person in [*here, *at_work]:
            person.result()


def _tell(facts: WorldFacts, log: list[Fault], setting: Setting) -> None:
    """What the checker has to know of the run as a whole."""
    facts.must_succeed = MUST_SUCCEED
    facts.kills = [fault.start for fault in log if fault.kind == "kill_worker"]
    if setting.database == "sqlite":
        facts.cache_lag = 0.0  # there is no Redis to fail, and without one no product is kept


def _audit(setting: Setting) -> list[Violation]:
    """What the shop itself says of its books: a second witness."""
    audit = setting.flask("audit")
    if audit.exit_code == 0:
        return []
    told = f"{audit.output} {audit.exception!r}"
    return [Violation("audit", line) for line in told.splitlines()]


def _figures(setting: Setting, history: History, log: list[Fault]) -> dict[str, int | float]:
    outcomes = Counter(attempt.outcome for attempt in history)
    kinds = Counter(fault.kind for fault in log)
    placed = {
        attempt.answer["number"] for attempt in history.of("place_order") if attempt.outcome == "ok"
    }
    return {
        "attempts": len(history),
        "unknown": outcomes["unknown"],
        "orders": len(placed),
        "kills": kinds["kill_worker"],
        "hits": hits(log, history),
        "crashes": kinds["crash_postgresql"],
        "faults": len(log),
        "deadlocks": setting.deadlocks(),
    }
