"""Jobs under fire: workers are killed twice a second, and each change has its effect, once."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.config import ROOT
from tests import servers
from tests.reliability.history import History
from tests.reliability.job_processes import CARRIED_OUT, CHANGED, RAN, ROLLED_BACK, THREADS, kind_of
from tests.reliability.scenes import Report
from tests.reliability.scenes.stage import rows
from tests.reliability.setting import Setting, kill
from tests.reliability.violation import Violation

SECONDS = 300.0
"""How long changes are made, and workers killed."""
MAKERS, WORKERS = 4, 4
SECONDS_BETWEEN_KILLS = 0.5
LONGEST = 240.0
"""Seconds until all jobs must have ended, once nobody is killed any more."""


def run(setting: Setting, _history: History, rng: random.Random, scale: float) -> Report:
    """Every change has its effect, what was rolled back has none, and nothing happens twice that can
    be kept from it."""
    seconds = SECONDS * scale
    with process(setting, "work", WORKERS) as workers:
        with process(setting, "make", MAKERS, seconds) as makers:
            kills = kill_while(makers, workers, rng)
        have_all_ended = wait_for_end(setting)
        workers.terminate()
        workers.wait(60)
    violations = list(judge(setting, kills))
    if not have_all_ended:
        violations.append(Violation("job_lost", f"jobs are still waiting after {LONGEST:.0f} s"))
    return Report({"changes": len(numbers(setting, CHANGED)), "kills": kills}, violations)


@contextmanager
def process(setting: Setting, *arguments: object) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of `job_processes`, killed with its children where it is left behind."""
    command = [sys.executable, "-m", "tests.reliability.job_processes", *map(str, arguments)]
    environ = {**os.environ, **setting.environ}
    with (
        setting.log.open("ab") as log,
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log) as running,
    ):
        try:
            yield running
        finally:
            if running.poll() is None:
                for pid in (running.pid, *servers.children(running.pid)):
                    kill(pid)


def kill_while(
    makers: "subprocess.Popen[bytes]", workers: "subprocess.Popen[bytes]", rng: random.Random
) -> int:
    """Kill a random worker again and again until the makers have ended; how often."""
    kills = 0
    while True:
        try:
            makers.wait(SECONDS_BETWEEN_KILLS)
            return kills
        except subprocess.TimeoutExpired:
            if pids := servers.children(workers.pid):
                kill(rng.choice(pids))
                kills += 1


def wait_for_end(setting: Setting) -> bool:
    """Whether every job has been carried out within LONGEST."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        if not rows(setting, "SELECT 1 FROM jobs WHERE status <> 'done' LIMIT 1"):
            return True
        time.sleep(0.2)
    return False


def numbers(setting: Setting, action: str) -> list[int]:
    """The numbers of the changes, or of their effects, each as often as it happened."""
    query = "SELECT subject_id FROM audit_events WHERE action = :action"
    return [row.subject_id for row in rows(setting, query, action=action)]


def judge(setting: Setting, kills: int) -> Iterator[Violation]:
    """What contradicts the promises of the queue."""
    effects = {
        "inside": Counter(numbers(setting, CARRIED_OUT)),
        "outside": Counter(numbers(setting, RAN)),
    }
    for number in numbers(setting, CHANGED):
        if not effects[kind_of(number)][number]:
            yield Violation("job_lost", f"change {number} stands, and nothing came of it")
    for kind, times in effects.items():
        for number in times:
            if number % ROLLED_BACK == 0:
                yield Violation("job_without_change", f"change {number} was rolled back")
        repeated = {number: count for number, count in times.items() if count > 1}
        if kind == "inside" and repeated:
            yield Violation("job_doubled", f"carried out more than once: {repeated}")
        # A worker holds as many jobs as it has threads, and each may have had its effect already.
        surplus = sum(repeated.values()) - len(repeated)
        if surplus > kills * THREADS:
            yield Violation("job_doubled", f"{surplus} of {kind} were repeated, with {kills} kills")
