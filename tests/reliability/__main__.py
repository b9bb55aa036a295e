"""The command `scripts/chaos`: play the scenes, and keep the score."""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.reliability.history import History
from tests.reliability.lineup import ACTS, Act
from tests.reliability.scenes import Report
from tests.reliability.setting import fire_setting

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


def main(arguments: Sequence[str]) -> int:
    """Play what the command line asks for: 0 when all held, else 1."""
    options = _options(arguments)
    _say(f"seed: {options.seed}")
    if options.mutants is not None:
        from tests.reliability.mutants import run_mutants

        return run_mutants(options.mutants, options.seed)
    acts = [act for act in ACTS if _is_wanted(act, options)]
    total: Counter[str] = Counter()
    held = 0
    for act in acts:
        report, history, seconds = _play(act, _scale(act, options), options.seed)
        figures = {"attempts": len(history), **report.figures}
        figures["violations"] = len(report.violations)
        total.update(figures)
        held += not report.violations
        _tell(act, report, figures, seconds)
        _keep(act, history, options.history, bad=bool(report.violations))
    score = ", ".join(f"{total[name]:,} {words}" for name, words in SCORED.items())
    _say(f"score: {held} of {len(acts)} scenes held; {score}")
    return 0 if held == len(acts) else 1


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
    return options.scene in (None, act.name) and options.database in (None, act.database)


def _scale(act: Act, options: argparse.Namespace) -> float:
    if options.quick:
        return act.quick
    return act.long * (options.minutes / 10 if act.name == "mixed" else 1)


def _play(act: Act, scale: float, seed: int) -> tuple[Report, History, float]:
    """One scene in a setting of its own; also the seconds that it took, all in all."""
    began, history = time.monotonic(), History()
    dice = random.Random(f"{seed} {act.title}")
    with fire_setting(act.database, act.workers) as setting:
        report = act.run(setting, history, dice, scale)
    return report, history, time.monotonic() - began


def _tell(act: Act, report: Report, figures: dict[str, int | float], seconds: float) -> None:
    """One line for the scene, and one for each violation."""
    outcome = "BROKEN" if report.violations else "held"
    told = ", ".join(f"{value:,} {name}" for name, value in figures.items())
    _say(f"{act.title}: {outcome}; {told}; {seconds:.1f} s")
    for violation in report.violations[:SHOWN]:
        _say(f"  {violation}")
    if len(report.violations) > SHOWN:
        _say(f"  … and {len(report.violations) - SHOWN} more")


def _keep(act: Act, history: History, folder: Path | None, bad: bool) -> None:
    """Write the history where it was asked for; after a violation in any case."""
    if folder is None:
        if not bad:
            return
        folder = Path(tempfile.mkdtemp(prefix="shopswift-history-"))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{act.name}-{act.database}.jsonl"
    history.write(file)
    _say(f"  history: {file}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
