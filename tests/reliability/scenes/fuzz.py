"""Whatever the OpenAPI document allows and forbids, sent by a stranger, two customers and staff."""

import random

from tests.reliability import api_fuzz
from tests.reliability.history import History
from tests.reliability.scenes import Report
from tests.reliability.scenes.stage import size
from tests.reliability.setting import Setting
from tests.reliability.violation import Violation

EXAMPLES = 20
"""Random cases an operation, caller and phase: some 15,000 in all, with those of the document."""


def run(setting: Setting, history: History, rng: random.Random, scale: float) -> Report:
    """No server error, and no answer that the document does not name."""
    plan = api_fuzz.LONG if scale >= 1 else api_fuzz.SHORT
    figures, problems = api_fuzz.run(setting, size(EXAMPLES, scale), rng.getrandbits(32), plan)
    return Report(figures, [Violation("undocumented", problem) for problem in problems])
