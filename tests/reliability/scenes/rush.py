"""The rush: 500 buyers for 100 units, while workers are killed five times a second."""

import random

from tests.reliability.faults import hits
from tests.reliability.history import History
from tests.reliability.scenes import Report
from tests.reliability.scenes.sale import Sale
from tests.reliability.scenes.stage import killing, on_stage, size
from tests.reliability.setting import Setting

BUYERS, STOCK = 500, 100
SECONDS_BETWEEN_KILLS = 0.2
SECONDS_OF_KILLS = 20.0


def run(setting: Setting, history: History, rng: random.Random, scale: float) -> Report:
    """Exactly what there is gets sold, and nobody is sent away while something is left."""
    with on_stage(setting, history, rng) as stage:
        sale = Sale(stage, size(BUYERS, scale), size(STOCK, scale))
        with killing(stage, SECONDS_BETWEEN_KILLS, SECONDS_OF_KILLS) as kills:
            sale.hold()
        setting.wait_until_ready()
        sold = sum(attempt.status == 201 for attempt in sale.last_words)
        figures = {"orders": sold, "kills": len(kills), "hits": hits(kills, history)}
        stage.facts.kills = [kill.start for kill in kills]
        return Report(figures, [*sale.judge(), *stage.check()])
