"""For operators: `audit`, `doctor` and `export-openapi`."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import click
from flask import current_app

from app.cli.shell import command
from app.config import DEVELOPMENT_SECRET, Config, ConfigurationError
from app.extensions import api
from app.jobs import upkeep
from app.observability import task_status
from app.services.audit import books
from app.services.operations import doctor_service
from app.services.operations.doctor_service import Finding


@command("audit")
def audit() -> None:
    """Prove that the books are right: ledger, allocations, totals, carts, orphans.

    Reads one snapshot and writes nothing, so it may run while the shop sells. Names every
    violation, and exits 1 if there is one.
    """
    with task_status.recording(Path(current_app.config["STATUS_FOLDER"]), "audit") as run:
        run.value = _audit()
        if run.value:
            raise click.exceptions.Exit(1)


def _audit() -> int:
    """Print every violation and how many rows were checked; returns the number of violations."""
    count = upkeep.audit(click.echo)
    figures = [f"{number} {name}" for name, number in books.figures().items()]
    click.echo(f"audit: {', '.join(figures)}, {count} violations.")
    return count


@command("doctor")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--before-migration", is_flag=True, help="A schema that is behind is no failure.")
def doctor(as_json: bool, before_migration: bool) -> None:
    """Examine configuration, secrets, database, migrations, currency and cache.

    Works although the configuration has problems, and prints no secrets. Exits 1 if a check fails.
    """
    settings: Config = current_app.extensions["settings"]
    migrations = Path(current_app.extensions["migrate"].directory)
    findings = list(
        doctor_service.examine(
            current_app.config, settings.problems(), _warnings(settings), migrations
        )
    )
    if before_migration:
        findings = [_without_migration(finding) for finding in findings]
    if not _report(findings, as_json):
        raise click.exceptions.Exit(1)


def _without_migration(finding: Finding) -> Finding:
    """The same finding, but only a warning if it says that migrations have not run yet."""
    if finding.name == "migrations" and finding.status == "failed":
        return replace(finding, status="warning")
    return finding


def report_unreadable(error: ConfigurationError, as_json: bool) -> None:
    """The doctor's report if settings cannot be read, so that there is no app to examine."""
    _report([Finding("configuration", "failed", str(error))], as_json)


def _report(findings: Sequence[Finding], as_json: bool) -> bool:
    """Print the findings; returns whether none of them failed."""
    ok = all(finding.status != "failed" for finding in findings)
    if as_json:
        checks = [vars(finding) for finding in findings]
        click.echo(json.dumps({"ok": ok, "checks": checks}, indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.status:8}{finding.name}: {finding.detail}")
    return ok


def _warnings(settings: Config) -> list[str]:
    """Settings that are allowed, but that operators should know of."""
    secrets = ("SECRET_KEY", "JWT_SECRET_KEY")
    missing = [name for name in secrets if getattr(settings, name) == DEVELOPMENT_SECRET]
    lines = [
        *settings.warnings(),
        *(f"{name} is missing or the development default" for name in missing),
    ]
    return [line for line in lines if line not in settings.problems()]


@command("export-openapi")
@click.option("--output", type=click.File("w", encoding="utf-8", atomic=True), default="-")
def export_openapi(output: TextIO) -> None:
    """Write the API's OpenAPI document as JSON, the same every time."""
    document = api.spec.to_dict()
    output.write(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
