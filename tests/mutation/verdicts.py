"""Runs tests on a mutant, in a fork that ends with the first test that fails."""

import gc
import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import pytest

from tests.mutation.operators import Mutation
from tests.mutation.planting import NotPlantedError, Planter

Verdict = Literal["killed", "survived", "out of time", "not planted", "untried"]
FAILED, SURVIVED, OUT_OF_TIME, NOT_PLANTED, BROKEN = 70, 71, 72, 73, 74
SECONDS_OF_A_TEST = 10.0
"""At least; a test that takes ten times as long as before hangs, and so has failed."""


class Failures:
    """Runs tests as pytest does, and says whether one failed; a plugin, to hear of it."""

    def __init__(self) -> None:
        self._has_failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure of the test, or of what it needs."""
        self._has_failed |= report.failed

    def of(self, test: pytest.Item, following: pytest.Item) -> bool:
        """Run a test and say whether it failed; what the following one shares with it stays set up."""
        self._has_failed = False
        test.ihook.pytest_runtest_protocol(item=test, nextitem=following)
        return self._has_failed


class Trial(NamedTuple):
    """A mutant (None: the module, run again as it is) and the tests that are to notice it."""

    mutation: Mutation | None
    is_deep: bool
    """Whether the whole module is run again with it."""
    tests: Sequence[pytest.Item]
    seconds: Mapping[pytest.Item, float]
    """How long each test takes by itself."""
    budget: float
    """Seconds of CPU for all of them."""


def verdict_on(
    trial: Trial, planter: Planter, failures: Failures
) -> tuple[Verdict, pytest.Item | None]:
    """What the tests say of a mutant, and which one failed."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _silence()
        code = BROKEN
        try:
            code = _run(trial, planter, failures, write)
        finally:
            os._exit(code)
    os.close(write)
    _pid, status = os.waitpid(pid, 0)
    with os.fdopen(read, "rb") as last:
        numbers = last.read().split()
    code = os.waitstatus_to_exitcode(status)
    failing = (
        trial.tests[int(numbers[-1])] if numbers and code not in (SURVIVED, OUT_OF_TIME) else None
    )
    if code == BROKEN:
        raise RuntimeError(f"The fork for {trial.mutation} broke before its tests ended.")
    if code in (SURVIVED, OUT_OF_TIME, NOT_PLANTED):
        names: dict[int, Verdict] = {
            SURVIVED: "survived", OUT_OF_TIME: "out of time", NOT_PLANTED: "not planted",
        }  # fmt: skip
        return names[code], failing
    return "killed", failing  # a test failed, or hung, or the process died of the mutant


def _silence() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)


def _run(trial: Trial, planter: Planter, failures: Failures, write: int) -> int:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    gc.disable()
    try:
        if trial.mutation is None:
            planter.plant_original()
        else:
            planter.plant(trial.mutation, trial.is_deep)
    except NotPlantedError:
        return NOT_PLANTED
    except Exception:  # the module cannot be imported with it
        return FAILED
    tests = trial.tests
    end = time.process_time() + trial.budget
    tests[0].session._setupstate.teardown_exact(tests[0])
    for number, (test, following) in enumerate(zip(tests, [*tests[1:], tests[-1]], strict=True)):
        if time.process_time() > end:
            return OUT_OF_TIME
        os.write(write, b"%d\n" % number)
        signal.setitimer(signal.ITIMER_REAL, max(SECONDS_OF_A_TEST, 10 * trial.seconds[test]))
        if failures.of(test, following):
            return FAILED
    return SURVIVED
