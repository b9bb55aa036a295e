"""What the scenes share: a stage with goods and people, calls at once, and a look at the tables."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import Row, create_engine, text

from tests.reliability.checker import RULES
from tests.reliability.checker.case import Case
from tests.reliability.facts import WorldFacts
from tests.reliability.faults import Fault
from tests.reliability.history import Attempt, History
from tests.reliability.ledgers import read_books
from tests.reliability.setting import Setting
from tests.reliability.shopper import Shopper
from tests.reliability.violation import Violation
from tests.reliability.world import PLACES, Article, hire_owner, make_article

T = TypeVar("T")
Rule = Callable[[Case], Iterable[Violation]]
ENOUGH = 1_000_000
"""Stock that no scene sells out."""


class Stage:
    """A fresh shop with an owner, who makes the scene's goods, and people as they are called.

    Attributes:
        facts: what the checker has to know of these goods and people.
    """

    def __init__(self, setting: Setting, history: History, rng: random.Random) -> None:
        self.setting, self.history, self.rng = setting, history, rng
        self.facts = WorldFacts(exponent=PLACES)
        self.owner = hire_owner(setting, History(), rng)
        self._people: list[Shopper] = []
        self._numbers = count()

    def article(self, stock: int = ENOUGH) -> Article:
        """Something to sell, at a price of chance."""
        name = f"Thing {len(self.facts.on_hand)}"
        return make_article(self.owner, self.facts, name, stock, self.rng.randint(100, 9999))

    def guest(self) -> Shopper:
        """Somebody without an account."""
        label = f"shopper-{next(self._numbers)}"
        person = Shopper(label, self.setting, self.history, random.Random(self.rng.random()))
        self._people.append(person)
        return person

    def customer(self) -> Shopper:
        """Somebody who has just made an account, and signed in."""
        person = self.guest()
        self.facts.users[person.label] = person.register().answer["id"]
        person.sign_in()
        return person

    def check(self, rules: Iterable[Rule] = RULES) -> list[Violation]:
        """What the common checker has to say, once all is settled."""
        case = Case(self.history, read_books(self.setting.database_url), self.facts)
        return [violation for rule in rules for violation in rule(case)]

    def close(self) -> None:
        """Send everybody home."""
        self.owner.close()
        for person in self._people:
            person.close()


@contextmanager
def on_stage(setting: Setting, history: History, rng: random.Random) -> Iterator[Stage]:
    """A stage for one scene."""
    stage = Stage(setting, history, rng)
    try:
        yield stage
    finally:
        stage.close()


def size(full: int, scale: float) -> int:
    """A part of a scene's full size, but not nothing."""
    return max(1, round(full * scale))


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What the calls answer when each has a thread of its own and all start together."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        start.wait(60)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def in_turns(calls: Sequence[Callable[[], T]], threads: int) -> list[T]:
    """What the calls answer when so many threads share them."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda call: call(), calls))


@contextmanager
def killing(stage: Stage, every: float, longest: float) -> Iterator[list[Fault]]:
    """Kill a random worker, at once and then again and again while the block runs.

    Not for ever, though (`longest` seconds): on a slow machine nobody would come through.
    """
    kills: list[Fault] = []
    over = threading.Event()
    rng = random.Random(stage.rng.random())

    def kill_on() -> None:
        end = stage.setting.clock() + longest
        while not over.wait(every if kills else every / 5) and stage.setting.clock() < end:
            while not stage.history.in_flight and not over.wait(0.002):
                pass  # a kill between two requests would cost nobody anything
            in_flight = stage.history.in_flight
            _pid, at = stage.setting.kill_worker(rng)
            kills.append(Fault("kill_worker", at, at, in_flight))

    killer = threading.Thread(target=kill_on)
    killer.start()
    try:
        yield kills
    finally:
        over.set()
        killer.join()


def code(attempt: Attempt) -> str | None:
    """The word that a refusal comes with."""
    return attempt.answer.get("code") if isinstance(attempt.answer, dict) else None


def server_errors(history: History) -> list[Violation]:
    """Answers of a scene without faults that say that the server could not."""
    return [
        Violation("server_error", f"{attempt.operation} was answered {attempt.status}", [attempt])
        for attempt in history
        if attempt.outcome == "unknown"
    ]


def rows(setting: Setting, statement: str, **values: Any) -> Sequence[Row[Any]]:
    """What a query finds in the shop's database."""
    engine = create_engine(setting.database_url)
    try:
        with engine.connect() as connection:
            return connection.execute(text(statement), values).all()
    finally:
        engine.dispose()


def moment(stored: Any) -> float:
    """A time of the database in seconds since 1970."""
    time = datetime.fromisoformat(str(stored))
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()
