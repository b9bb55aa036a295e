"""The shop in three processes behind nginx: one may die or be replaced, and nobody is sold short."""

import random
from collections import Counter

import pytest
import requests

from tests.reliability import scale_out
from tests.reliability.setting import OWNER, PASSWORD
from tests.servers import PATIENCE

pytestmark = pytest.mark.slow

WRONG = {"email": OWNER, "password": "not this one"}


@pytest.fixture(scope="module")
def traded():
    """What came of trading while processes were killed and stopped."""
    with scale_out.scaled_out() as setting:
        yield scale_out.trade(setting, random.Random(7), each=1)


def test_nothing_is_oversold_lost_or_done_twice(traded):
    assert traded.violations == []
    assert traded.orders > 0


def test_killing_a_process_costs_what_was_under_way_on_it_alone(traded):
    assert [(lost.method, lost.path, lost.status) for lost in traded.unexplained] == []


def test_reads_that_were_lost_are_asked_of_another_process(traded):
    assert [lost.path for lost in traded.lost if lost.method == "GET"] == []


def test_all_processes_work_again_at_the_end(traded):
    assert all(traded.served)


def test_limits_and_lockouts_are_the_same_in_all_processes():
    limits = {"RATELIMIT_ENABLED": "true", "RATELIMIT_AUTH": "12 per hour"}
    with scale_out.scaled_out(**limits) as setting:
        tries = [log_in(setting.addresses[n % scale_out.APPS], WRONG) for n in range(6)]
        locked = {log_in(address) for address in setting.addresses}
        beyond = [log_in(setting.addresses[n % scale_out.APPS], WRONG) for n in range(6)]

    assert Counter(tries).keys() <= {"invalid_credentials", "too_many_attempts"}
    assert locked == {"too_many_attempts"}
    assert beyond == ["too_many_attempts"] * 3 + ["rate_limited"] * 3


def log_in(address, body=None):
    """The code of the refusal, if there is one."""
    body = body or {"email": OWNER, "password": PASSWORD}
    answer = requests.post(f"{address}/api/auth/login", json=body, timeout=PATIENCE)
    return answer.json().get("code")
