"""The command `scripts/chaos`: play the scenes, and keep the score."""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.reliability.history import History
from tests.reliability.lineup import ACTS, Act
from tests.reliability.mutants import run_mutants
from tests.reliability.scenes import Report
from tests.reliability.setting import fire_setting

DATABASES = ("postgresql", "sqlite")
SHOWN = 20
"""Violations that are told of one scene; the history has the rest."""
SCORED = {
    "attempts": "attempts",
    "orders": "orders",
    "kills": "kills",
    "crashes": "database crashes",
    "violations": "violations",
}
"""Figures of the last line, and what they are called there."""


@dataclass(frozen=True)
class Played:
    """A scene that is over."""

    act: Act
    report: Report
    history: History
    log: bytes
    """What the shop wrote meanwhile."""
    seconds: float
    """All in all, with the start of the servers."""

    @property
    def held(self) -> bool:
        """Whether nothing was wrong."""
        return not self.report.violations

    @property
    def figures(self) -> dict[str, int | float]:
        """What was counted, by name."""
        counted = {"attempts": len(self.history), **self.report.figures}
        return {**counted, "violations": len(self.report.violations)}


def main(arguments: Sequence[str]) -> int:
    """Play what the command line asks for: 0 when all held, else 1."""
    options = _options(arguments)
    _say(f"seed: {options.seed}")
    if options.mutants is not None:
        return run_mutants(options.mutants, options.seed)
    with tempfile.TemporaryDirectory(prefix="shopswift-templates-") as templates:
        Path(templates).chmod(0o711)  # PostgreSQL runs as another user where we are root
        os.environ.setdefault("TEST_TEMPLATES_FOLDER", templates)
        return _play_all(options)


def _play_all(options: argparse.Namespace) -> int:
    """Play the scenes that are wanted, and keep the score."""
    acts = [act for act in ACTS if _is_wanted(act, options)]
    # In a hurry both databases have the stage at once: half of each scene is waiting.
    lanes = [[act for act in acts if act.database == name] for name in DATABASES]
    with ThreadPoolExecutor() as stages:
        results = [*stages.map(partial(_perform, options), lanes if options.quick else [acts])]
    played = [one for lot in results for one in lot]
    total: Counter[str] = Counter()
    for one in played:
        total.update(one.figures)
    held = sum(one.held for one in played)
    score = ", ".join(f"{total[name]:,} {words}" for name, words in SCORED.items())
    _say(f"score: {held} of {len(acts)} scenes held; {score}")
    return 0 if held == len(acts) else 1


def _perform(options: argparse.Namespace, acts: Sequence[Act]) -> list[Played]:
    """Play acts one after the other, and tell of each when it is over."""
    results = []
    for act in acts:
        played = _play(act, _scale(act, options), options.seed)
        _tell(played)
        if options.history is not None or not played.held:
            _keep(played, options.history or Path(tempfile.mkdtemp(prefix="shopswift-history-")))
        results.append(played)
    return results


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("chaos", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="all scenes small, within a minute")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="for the dice")
    parser.add_argument("--minutes", type=float, default=10, help="of mixed load on PostgreSQL")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="on this one only")
    parser.add_argument("--scene", choices=sorted({act.name for act in ACTS}), help="this one only")
    parser.add_argument("--history", type=Path, metavar="DIR", help="write every attempt there")
    parser.add_argument(
        "--mutants", nargs="*", metavar="NAME", help="plant faults, and see that they are caught"
    )
    return parser.parse_args(arguments)


def _is_wanted(act: Act, options: argparse.Namespace) -> bool:
    if options.quick and act.quick is None:
        return False
    return options.scene in (None, act.name) and options.database in (None, act.database)


def _scale(act: Act, options: argparse.Namespace) -> float:
    if options.quick and act.quick is not None:
        return act.quick
    return act.long * (options.minutes / 10 if act.name == "mixed" else 1)


def _play(act: Act, scale: float, seed: int) -> Played:
    """Play one scene in a setting of its own."""
    began, history = time.monotonic(), History()
    dice = random.Random(f"{seed} {act.title}")
    with fire_setting(act.database, act.workers) as setting:
        report = act.run(setting, history, dice, scale)
        log = setting.log.read_bytes()
    return Played(act, report, history, log, time.monotonic() - began)


def _tell(played: Played) -> None:
    """One line for the scene, and one for each violation."""
    outcome = "held" if played.held else "BROKEN"
    told = ", ".join(f"{value:,} {name}" for name, value in played.figures.items())
    _say(f"{played.act.title}: {outcome}; {told}; {played.seconds:.1f} s")
    violations = played.report.violations
    for violation in violations[:SHOWN]:
        _say(f"  {violation}")
    if len(violations) > SHOWN:
        _say(f"  … and {len(violations) - SHOWN} more")


def _keep(played: Played, folder: Path) -> None:
    """Write down every attempt, and what the shop logged."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{played.act.name}-{played.act.database}"
    played.history.write(folder / f"{name}.jsonl")
    (folder / f"{name}.log").write_bytes(played.log)
    _say(f"  history and log: {folder / name}.*")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
