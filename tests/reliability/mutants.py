"""Does the suite bite? Faults are planted one at a time in a copy of the shop, and must be noticed.

`./scripts/chaos --mutants` first plays the scenes on an unchanged copy, which must be found without
fault; then, for each mutant, the one scene that must name the fault. Most of these scenes are
meetings, in which a fault shows for certain and within a second.
"""

import ast
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.config import ROOT
from tests.reliability.history import History
from tests.reliability.lineup import ACTS
from tests.reliability.planted import MUTANTS, Edit, Mutant
from tests.reliability.scenes import Report, meetings
from tests.reliability.setting import Setting, fire_setting

COPIED = (
    "app", "migrations", "scripts", "tests", "manage.py", "gunicorn.conf.py", "pyproject.toml",
)  # fmt: skip
TRIES = 3
"""On a busy machine a scene may prove nothing: it is played so often before a mutant survives."""
SIZES = {"rush": 0.1, "keys": 0.02}
"""Of the scenes with many people, as parts of their full sizes."""
LONGEST = 300
"""Seconds that a scene may take, on a machine that has other things to do."""
WORKERS = 2
MIGRATIONS = "migrations/"
MEETINGS = "meetings"


@dataclass(frozen=True)
class Verdict:
    """What a scene found: names and details of violations; or how it failed to be played."""

    found: Sequence[tuple[str, str]]
    failure: str = ""


def run_mutants(names: Sequence[str], seed: int) -> int:
    """Plant these faults, or all: 0 when the control was clean and every fault was noticed, else 1."""
    began = time.monotonic()
    chosen = [mutant for mutant in MUTANTS if mutant.name in names or not names]
    unknown = set(names) - {mutant.name for mutant in chosen}
    if unknown:
        _say(f"There is no mutant {', '.join(sorted(unknown))}.")
        return 1
    for mutant in chosen:
        refuse_misfit(mutant)
    with tempfile.TemporaryDirectory(prefix="shopswift-mutants-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root
        copy = Copy(Path(folder))
        crowds = sorted({mutant.scene for mutant in chosen} & SIZES.keys())
        clean = [_control(scene, copy, seed) for scene in (MEETINGS, *crowds)]
        caught = [_hunt(mutant, copy, seed) for mutant in chosen]
    _say(
        f"score: {sum(caught)} of {len(caught)} mutants caught;"
        f" {sum(clean)} of {len(clean)} scenes found nothing in the unchanged shop;"
        f" {time.monotonic() - began:.0f} s"
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


class Copy:
    """A copy of the shop, in which faults are planted for one scene at a time.

    Settings start from templates that the first scene has made; a scene with a fault in the
    migrations has templates of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._tree = folder, folder / "copy"
        self._tree.mkdir()
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self._tree / name)
            else:
                shutil.copy2(ROOT / name, self._tree / name)

    def play(self, edits: Sequence[Edit], scene: str, seed: int) -> Verdict:
        """Play a scene in a process of its own, on the shop with these faults."""
        for edit in edits:
            path = self._tree / edit.path
            path.write_text(edit.apply(path.read_text()))
        try:
            return self._play_apart(self._templates(edits), scene, seed)
        finally:
            for edit in edits:
                shutil.copy2(ROOT / edit.path, self._tree / edit.path)

    def _templates(self, edits: Sequence[Edit]) -> Path:
        own = "-".join(edit.new for edit in edits if edit.path.startswith(MIGRATIONS))
        templates = self._folder / f"templates-{hashlib.sha256(own.encode()).hexdigest()[:8]}"
        templates.mkdir(exist_ok=True)
        templates.chmod(0o711)
        return templates

    def _play_apart(self, templates: Path, scene: str, seed: int) -> Verdict:
        outcome = self._tree / "outcome.json"
        unset = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
        environ = {name: value for name, value in os.environ.items() if name not in unset}
        try:
            played = subprocess.run(
                [sys.executable, "-m", __spec__.name, scene, str(seed), outcome],
                cwd=self._tree,
                env={**environ, "TEST_TEMPLATES_FOLDER": str(templates)},
                capture_output=True,
                text=True,
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired:
            return Verdict((), f"not over after {LONGEST} s")
        if played.returncode != 0:
            return Verdict((), f"could not be played: {played.stderr.strip()[-300:]}")
        return Verdict([(name, detail) for name, detail in json.loads(outcome.read_text())])


def _control(scene: str, copy: Copy, seed: int) -> bool:
    began = time.monotonic()
    for attempt in range(TRIES):
        verdict = copy.play((), scene, seed + attempt)
        if {name for name, _detail in verdict.found} != {"vacuous"}:
            break  # a run that proves nothing is no control
    outcome = "held" if not verdict.found and not verdict.failure else "BROKEN"
    _say(f"control, {scene}: {outcome}; {_brief(verdict)}; {time.monotonic() - began:.1f} s")
    return outcome == "held"


def _hunt(mutant: Mutant, copy: Copy, seed: int) -> bool:
    began = time.monotonic()
    for attempt in range(1, TRIES + 1):
        verdict = copy.play(mutant.edits, mutant.scene, seed + attempt)
        proof = [violation for violation in verdict.found if violation[0] in mutant.proofs]
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


def play_here(scene: str, seed: int, outcome: Path) -> None:
    """Play a scene on the shop that this file belongs to, and write what it found."""
    with fire_setting("postgresql", WORKERS) as setting:
        report = _scenes()[scene](setting, History(), random.Random(seed))
    outcome.write_text(json.dumps([(one.name, one.detail) for one in report.violations]))


def _scenes() -> dict[str, Callable[[Setting, History, random.Random], Report]]:
    """The scenes by name; a meeting's name is its own, and MEETINGS are all of them."""
    plays = {act.name: act.run for act in ACTS if act.name in SIZES}
    crowds = {name: partial(play, scale=SIZES[name]) for name, play in plays.items()}
    single = {
        meeting.__name__: partial(meetings.run, meetings=(meeting,))
        for meeting in meetings.MEETINGS
    }
    return {MEETINGS: meetings.run, **crowds, **single}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    play_here(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
