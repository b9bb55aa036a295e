"""Meetings: two requests meet at a chosen point, for certain, and a few things that one request shows.

A race hopes that two requests meet. Here a lock is held in the database, so that the first request
stops where it needs it, and the next one is sent when the first waits. What must come of it is known.

hold        holds a lock, sends requests into it, and lets go
orders      stock that is promised, cancelled and shipped
prices      what an order costs
vouchers    promotions and their limits, and what discounts, shipping and taxes come to
keys        idempotency keys, of one buyer and of several
carts       edits and merges while a cart is ordered
accounts    sessions, and an account that is deleted while it orders
privacy     orders of others
commits     what others see before a commit, and right after it
lists       product lists, while orders hold what they would take away
"""

import random
from collections.abc import Iterator

from tests.reliability.history import History
from tests.reliability.scenes import Report
from tests.reliability.scenes.lane import FalseStart, Lane, Race, Unheard
from tests.reliability.scenes.meetings import (
    accounts,
    carts,
    commits,
    keys,
    lists,
    orders,
    prices,
    privacy,
    vouchers,
)
from tests.reliability.scenes.stage import Stage, on_stage
from tests.reliability.setting import Setting
from tests.reliability.violation import Violation

TRIES = 3
"""On a busy machine a lock may time out, or Redis be skipped for a second: that tells nothing."""
MEETINGS: tuple[Race, ...] = (
    *orders.MEETINGS, *prices.MEETINGS, *keys.MEETINGS, *carts.MEETINGS, *accounts.MEETINGS,
    *privacy.MEETINGS, *vouchers.MEETINGS, *lists.MEETINGS, *commits.MEETINGS,
)  # fmt: skip


BY_NAME = {meeting.__name__: meeting for meeting in MEETINGS}


def run(setting: Setting, history: History, rng: random.Random, _scale: float = 1.0) -> Report:
    """Every meeting ends as it must, and the shop itself finds its books in order."""
    with on_stage(setting, history, rng) as stage:
        stage.owner.history = history
        violations = hold_all(stage)
    return Report({"meetings": len(MEETINGS)}, violations)


def hold_all(stage: Stage) -> list[Violation]:
    """What is wrong with the outcomes of all meetings, and with the books afterwards."""
    violations = [wrong for meeting in MEETINGS for wrong in _hold(meeting, stage)]
    audit = stage.setting.flask("audit")
    if audit.exit_code:
        violations.append(Violation("audit", audit.output.strip()[-300:]))
    return violations


def hold_one(meeting: Race, stage: Stage) -> list[Violation]:
    """What is wrong with the outcome of one meeting, in a shop that was started anew."""
    stage.owner.close()  # the connection to the shop before
    stage.owner.sign_in()  # an access token lives for a quarter of an hour
    return list(_hold(meeting, stage))


def _hold(meeting: Race, stage: Stage) -> Iterator[Violation]:
    for _ in range(TRIES):
        try:
            wrong = meeting(Lane(stage))
        except FalseStart as start:
            wrong = f"it could not begin: {start}"
        except Unheard:
            continue
        if wrong:
            yield Violation(meeting.__name__, wrong)
        return
    yield Violation("vacuous", f"nothing was heard of {meeting.__name__} in {TRIES} tries")
