"""One SQLite file, eight processes that sell from it: all is sold, and nobody hears of locks."""

import random

from tests.reliability.history import History
from tests.reliability.scenes import Report
from tests.reliability.scenes.sale import Sale
from tests.reliability.scenes.stage import on_stage, server_errors, size
from tests.reliability.setting import Setting
from tests.reliability.violation import Violation

BUYERS, STOCK = 400, 200
PROCESSES = 8
"""The workers that this scene wants of its setting."""
LOCKED = "database is locked"


def run(setting: Setting, history: History, rng: random.Random, scale: float) -> Report:
    """Exactly what there is gets sold, without one server error or a word of SQLite's locks."""
    with on_stage(setting, history, rng) as stage:
        sale = Sale(stage, size(BUYERS, scale), size(STOCK, scale))
        sale.hold()
        complaints = setting.log.read_text(errors="replace").count(LOCKED)
        violations = [*sale.judge(), *server_errors(history), *stage.check()]
        if complaints:
            violations.append(Violation("sqlite_busy", f"{LOCKED}: {complaints} times in the log"))
        sold = sum(attempt.status == 201 for attempt in sale.last_words)
        return Report({"orders": sold, "processes": len(setting.workers())}, violations)
