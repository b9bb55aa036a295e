#!/usr/bin/env python3
"""Fail on migrations that keep a running shop waiting, or take away what the release before reads.

Each migration is printed as the SQL that PostgreSQL would get, and squawk looks at that
(https://squawkhq.com/docs/rules). CONTRIBUTING.md has the rules that follow from it. A migration
that has to break one says so: `contract = "0042"` where it drops what servers have not read since
migration 0042 (app/services/operations/schema_service.py), or
`accepted = {"the-rule": "why nobody waits"}`.
"""

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory

ROOT = Path(__file__).resolve().parent.parent
OLD = "0007"
"""The last migration from before there was a shop in business."""
POSTGRESQL = "14"
NOT_ASKED = (
    # About taste, or other programs' tables.
    "prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-identity",
    "prefer-text-field", "prefer-timestamp-tz", "ban-char-field",
    # A transaction, or `online.create_index`, makes a migration repeatable; env.py sets timeouts.
    "prefer-robust-stmts", "require-lock-timeout", "require-statement-timeout",
)  # fmt: skip
CONTRACTION = ("ban-drop-column", "ban-drop-table", "ban-drop-not-null")
OWN = {
    "takes-the-table": (
        re.compile(r"^\s*(LOCK|VACUUM|CLUSTER|TRUNCATE|REFRESH)\b", re.I | re.M),
        "Nobody else can use the table meanwhile.",
    ),
    "many-rows-at-once": (
        re.compile(r"^\s*(UPDATE|DELETE|INSERT\b[^;]*\bSELECT)\b", re.I | re.M),
        "Rows stay locked until the migration ends. Change them in batches, by a command.",
    ),
}


class BrokenRule(NamedTuple):
    """A rule that a migration breaks."""

    revision: str
    rule: str
    why: str


def broken_rules(folder: Path, after: str) -> Iterator[BrokenRule]:
    """The rules that the migrations after `after` break, in order."""
    scripts = ScriptDirectory(str(folder)).iterate_revisions("heads", after)
    earlier = {after}
    for script in reversed([script for script in scripts if isinstance(script, Script)]):
        accepted = set(getattr(script.module, "accepted", {}))
        if hasattr(script.module, "contract"):
            accepted.update(CONTRACTION)
            yield from _contract_rules(script, earlier)
        for rule, why in _broken(as_sql(script)):
            if rule not in accepted:
                yield BrokenRule(script.revision, rule, why)
        earlier.add(script.revision)


def _contract_rules(script: Script, earlier: set[str]) -> Iterator[BrokenRule]:
    """`contract` must name an earlier migration."""
    if script.module.contract not in earlier:
        why = "`contract` names the oldest migration whose servers do not read what is dropped."
        yield BrokenRule(script.revision, "contract-names-no-migration", why)


def as_sql(script: Script) -> str:
    """A migration's upgrade as SQL for PostgreSQL."""
    out = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        opts={
            "as_sql": True,
            "output_buffer": out,
            "literal_binds": True,
            "transactional_ddl": True,
            "transaction_per_migration": True,
        },
    )
    with Operations.context(context), context.begin_transaction(_per_migration=True):
        script.module.upgrade()
    return out.getvalue()


def _broken(sql: str) -> Iterator[tuple[str, str]]:
    for rule, (words, why) in OWN.items():
        if words.search(sql):
            yield rule, why
    for report in _squawk(sql):
        yield report["rule_name"], report["message"]


def _squawk(sql: str) -> list[dict[str, str]]:
    program = shutil.which("squawk", path=Path(sys.executable).parent) or "squawk"
    result = subprocess.run(
        [program, "--reporter", "json", "--pg-version", POSTGRESQL, "--exclude", ",".join(NOT_ASKED)],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if not result.stdout.startswith("["):
        sys.exit(f"squawk failed: {result.stderr}")
    reports: list[dict[str, str]] = json.loads(result.stdout)
    return reports


def main() -> None:
    """Check the shop's own migrations; exit 1 and name every rule that one breaks."""
    sys.path.insert(0, str(ROOT))  # migrations import `migrations.online`
    broken = list(broken_rules(ROOT / "migrations", OLD))
    for rule in broken:
        print(f"{rule.revision}: {rule.rule}: {rule.why}")
    print(f"check_migrations: {len(broken)} rules broken after {OLD}.")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
