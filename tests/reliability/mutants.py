"""Does the suite bite? Faults are planted one at a time in a copy of the shop, and must be noticed.

`./scripts/chaos --mutants` first plays the scenes on an unchanged copy, which must be found without
fault; then on one copy for each mutant, where the mutant's scene must name the fault.
"""

import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.config import ROOT
from tests.reliability.history import History
from tests.reliability.lineup import ACTS
from tests.reliability.planted import MUTANTS, Edit, Mutant
from tests.reliability.scenes import Report, mixed, races
from tests.reliability.scenes.lane import Race
from tests.reliability.setting import Setting, fire_setting

COPIED = (
    "app", "migrations", "scripts", "tests", "manage.py", "gunicorn.conf.py", "pyproject.toml",
)  # fmt: skip
TRIES = 3
"""Whether two meet is a matter of chance: a scene is played so often before a mutant survives."""
SIZES = {"mixed": 12 / 600, "rush": 0.1, "keys": 0.02}
"""Of the scenes, as parts of their full sizes; of the races one kind is run."""
SHOPPERS, RACES = 24, 0.03
"""Of the mixed load, and of a race: fewer than where the shop itself is on trial."""
LONGEST = 900
"""Seconds that a scene may take, on a machine that has other things to do."""


@dataclass(frozen=True)
class Verdict:
    """What a scene found: names and details of violations; or how it failed to be played."""

    found: Sequence[tuple[str, str]]
    failure: str = ""


def run_mutants(names: Sequence[str], seed: int) -> int:
    """Plant these faults, or all: 0 when the control was clean and every fault was noticed, else 1."""
    chosen = [mutant for mutant in MUTANTS if mutant.name in names or not names]
    unknown = set(names) - {mutant.name for mutant in chosen}
    if unknown:
        _say(f"There is no mutant {', '.join(sorted(unknown))}.")
        return 1
    for mutant in chosen:
        refuse_misfit(mutant)
    with tempfile.TemporaryDirectory(prefix="shopswift-mutants-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root
        scenes = sorted({mutant.scene for mutant in chosen})
        clean = [_control(scene, Path(folder), seed) for scene in scenes]
        caught = [_hunt(mutant, Path(folder), seed) for mutant in chosen]
    _say(
        f"score: {sum(caught)} of {len(caught)} mutants caught;"
        f" {sum(clean)} of {len(clean)} scenes found nothing in the unchanged shop"
    )
    return 0 if all(clean) and all(caught) else 1


def refuse_misfit(mutant: Mutant) -> None:
    """Plant a fault in the source as it is, and forget it.

    Raises:
        SyntaxError: what comes of it is no Python.
        ValueError: an edit does not fit any more.
    """
    sources = {edit.path: (ROOT / edit.path).read_text() for edit in mutant.edits}
    for edit in mutant.edits:
        sources[edit.path] = edit.apply(sources[edit.path])
    for source in sources.values():
        ast.parse(source)


def plant(edits: Iterable[Edit], tree: Path) -> None:
    """Write the faults into a copy of the shop.

    Raises:
        ValueError: an edit does not fit the source any more.
    """
    for edit in edits:
        path = tree / edit.path
        path.write_text(edit.apply(path.read_text()))


def _control(scene: str, folder: Path, seed: int) -> bool:
    began = time.monotonic()
    for attempt in range(TRIES):
        verdict = _play_copy((), scene, folder, seed + attempt)
        if {name for name, _detail in verdict.found} != {"vacuous"}:
            break  # a run that proves nothing is no control
    outcome = "held" if not verdict.found and not verdict.failure else "BROKEN"
    _say(f"control, {scene}: {outcome}; {_brief(verdict)}; {time.monotonic() - began:.1f} s")
    return outcome == "held"


def _hunt(mutant: Mutant, folder: Path, seed: int) -> bool:
    began = time.monotonic()
    for attempt in range(1, TRIES + 1):
        verdict = _play_copy(mutant.edits, mutant.scene, folder, seed + attempt)
        proof = [violation for violation in verdict.found if violation[0] in mutant.names]
        if proof:
            break
    told = f"{proof[0][0]}: {proof[0][1][:150]}" if proof else _brief(verdict)
    outcome = "caught" if proof else "SURVIVED"
    _say(
        f"{mutant.name}: {outcome} by {mutant.scene}, try {attempt};"
        f" {told}; {time.monotonic() - began:.1f} s"
    )
    return bool(proof)


def _brief(verdict: Verdict) -> str:
    names = sorted({name for name, _detail in verdict.found})
    return verdict.failure or f"{len(verdict.found)} violations {' '.join(names)}".strip()


def _play_copy(edits: Iterable[Edit], scene: str, folder: Path, seed: int) -> Verdict:
    """Play a scene in a process of its own, in a fresh copy of the shop with these faults."""
    tree = folder / "copy"
    _copy(tree)
    try:
        plant(edits, tree)
        return _play_apart(tree, scene, seed)
    finally:
        shutil.rmtree(tree)


def _copy(tree: Path) -> None:
    tree.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name)
        else:
            shutil.copy2(ROOT / name, tree / name)


def _play_apart(tree: Path, scene: str, seed: int) -> Verdict:
    found = tree / "found.json"
    try:
        played = subprocess.run(
            [sys.executable, "-m", __spec__.name, scene, str(seed), found],
            cwd=tree,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        return Verdict((), f"not over after {LONGEST} s")
    if played.returncode != 0:
        return Verdict((), f"could not be played: {played.stderr.strip()[-300:]}")
    return Verdict([(name, detail) for name, detail in json.loads(found.read_text())])


def play_here(scene: str, seed: int, found: Path) -> None:
    """Play a scene on the shop that this file belongs to, and write what it found."""
    with fire_setting("postgresql") as setting:
        report = _scenes()[scene](setting, History(), random.Random(seed))
    found.write_text(json.dumps([(one.name, one.detail) for one in report.violations]))


def _scenes() -> dict[str, Callable[[Setting, History, random.Random], Report]]:
    """The scenes by name; a race's is the race's own."""
    mixed.SHOPPERS = SHOPPERS
    plays = {act.name: act.run for act in ACTS if act.name in SIZES}
    whole = {name: partial(play, scale=SIZES[name]) for name, play in plays.items()}
    return whole | {race.__name__: partial(_one_kind, race) for race in races.RACES}


def _one_kind(race: Race, setting: Setting, history: History, rng: random.Random) -> Report:
    races.RACES = {race: races.RACES[race]}
    return races.run(setting, history, rng, RACES)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    play_here(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
