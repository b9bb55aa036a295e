"""Does the suite bite? Faults are planted one at a time in a copy of the shop, and must be noticed.

`./scripts/chaos --mutants` first holds all meetings in the unchanged copy, which must end as they
should. Then, for each mutant, it starts the shop anew with the fault in it, and holds the one meeting
that must tell. The servers of the database and the cache go on meanwhile.
"""

import ast
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from click.testing import CliRunner, Result

from app.config import ROOT
from tests.reliability.history import History
from tests.reliability.planted import MUTANTS, Mutant
from tests.reliability.scenes import meetings
from tests.reliability.scenes.stage import Stage, on_stage
from tests.reliability.setting import PostgreSQLSetting, fire_setting

COPIED = ("app", "migrations", "manage.py", "gunicorn.conf.py", "pyproject.toml")
TRIES = 3
"""On a busy machine a meeting may prove nothing: it is held so often before a mutant survives."""
SECONDS_OF_A_COMMAND = 120
CHECK = """SELECT conname FROM pg_constraint WHERE conrelid = 'variants'::regclass
    AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%allocated <= on_hand%'"""
ADD_CHECK = """ALTER TABLE variants ADD CONSTRAINT {}
    CHECK (0 <= allocated AND allocated <= on_hand) NOT VALID"""


class PlantedSetting(PostgreSQLSetting):
    """A shop whose code is a copy, in which faults can be planted."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.root = self.folder / "copy"
        self.root.mkdir()
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.root / name)
            else:
                shutil.copy2(ROOT / name, self.root / name)

    def flask(self, *arguments: str) -> Result:
        """Run one command of the copy, in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "manage", *arguments],
            cwd=self.root, env={**os.environ, **self.environ}, capture_output=True,
            timeout=SECONDS_OF_A_COMMAND,
        )  # fmt: skip
        output = done.stdout + done.stderr
        return Result(CliRunner(), output, b"", output, None, done.returncode, None)

    @contextmanager
    def planted(self, mutant: Mutant) -> Iterator[None]:
        """The shop, started anew with a fault; afterwards its code is as before, and still to be
        started."""
        for edit in mutant.edits:
            path = self.root / edit.path
            path.write_text(edit.apply(path.read_text()))
        with self._without_check() if mutant.without_check else nullcontext():
            try:
                self._kill_shop()
                self.start_shop()
                yield
            finally:
                for edit in mutant.edits:
                    shutil.copy2(ROOT / edit.path, self.root / edit.path)

    @contextmanager
    def _without_check(self) -> Iterator[None]:
        (name,) = self._execute(CHECK)[0]
        self._execute(f"ALTER TABLE variants DROP CONSTRAINT {name}")
        try:
            yield
        finally:
            self._execute(ADD_CHECK.format(name))

    def _execute(self, statement: str) -> list[tuple[Any, ...]]:
        connection = self.connect()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


def run_mutants(names: Sequence[str], seed: int) -> int:
    """Plant these faults, or all: 0 when the control was clean and every fault was noticed, else 1."""
    chosen = [mutant for mutant in MUTANTS if mutant.name in names or not names]
    unknown = set(names) - {mutant.name for mutant in chosen}
    if unknown:
        _say(f"There is no mutant {', '.join(sorted(unknown))}.")
        return 1
    for mutant in chosen:
        refuse_misfit(mutant)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # modules without a fault are compiled once
    began, rng = time.monotonic(), random.Random(seed)
    with fire_setting("postgresql", workers=1, kind=PlantedSetting) as setting:
        assert isinstance(setting, PlantedSetting)
        with on_stage(setting, History(), rng) as stage:
            is_clean = _control(stage)
            caught = [_hunt(mutant, setting, stage) for mutant in chosen]
    control = "held" if is_clean else "BROKEN"
    _say(
        f"score: {sum(caught)} of {len(caught)} mutants caught; the unchanged shop {control};"
        f" {time.monotonic() - began:.0f} s"
    )
    return 0 if is_clean and all(caught) else 1


def refuse_misfit(mutant: Mutant) -> None:
    """Plant a fault in the source as it is, and forget it.

    Raises:
        SyntaxError: what comes of it is no Python.
        ValueError: an edit does not fit any more, or there is no such meeting.
    """
    sources = {edit.path: (ROOT / edit.path).read_text() for edit in mutant.edits}
    for edit in mutant.edits:
        sources[edit.path] = edit.apply(sources[edit.path])
    for source in sources.values():
        ast.parse(source)
    if mutant.meeting not in meetings.BY_NAME:
        raise ValueError(f"There is no meeting {mutant.meeting}.")


def _control(stage: Stage) -> bool:
    began = time.monotonic()
    violations = meetings.hold_all(stage)
    for violation in violations:
        _say(f"  {violation}")
    outcome = "BROKEN" if violations else "held"
    _say(f"control: {outcome}; {len(meetings.MEETINGS)} meetings; {time.monotonic() - began:.1f} s")
    return not violations


def _hunt(mutant: Mutant, setting: PlantedSetting, stage: Stage) -> bool:
    began, tries, proof = time.monotonic(), 0, None
    while proof is None and tries < TRIES:
        tries += 1
        violations = _play(mutant, setting, stage)
        proof = next((one for one in violations if one[0] == mutant.meeting), None)
    told = proof or next(iter(violations), ("nothing", "no violation"))
    outcome = "caught" if proof else "SURVIVED"
    _say(
        f"{mutant.name}: {outcome} by {mutant.meeting}, try {tries}; {told[1][:150]};"
        f" {time.monotonic() - began:.1f} s"
    )
    return bool(proof)


def _play(mutant: Mutant, setting: PlantedSetting, stage: Stage) -> Sequence[tuple[str, str]]:
    """Names and details of what the meeting told."""
    try:
        with setting.planted(mutant):
            violations = meetings.hold_one(meetings.BY_NAME[mutant.meeting], stage)
    except SystemExit as error:
        return [("not_started", str(error))]
    return [(one.name, one.detail) for one in violations]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
