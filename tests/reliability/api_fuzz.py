"""Schemathesis over the OpenAPI document: whatever the document allows and forbids is sent, and
every answer has to be one that it names. As a stranger, as two customers, and as staff.

What is checked, and what is not, stands with its reasons in schemathesis.toml.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from click.testing import Result

from app.config import ROOT

CONFIG = Path(__file__).with_name("schemathesis.toml")
PASSWORD = "fuzz every door of the shop"
PHASES = ("examples", "coverage", "fuzzing", "stateful")


class Shop(Protocol):
    """A running shop whose command line can be used."""

    address: str

    def flask(self, *arguments: str) -> Result:
        """Run one command of the shop."""


@dataclass(frozen=True)
class Caller:
    """Somebody who sends requests; without an email a stranger."""

    name: str
    email: str = ""


STRANGER, ANN, BEN, STAFF = CALLERS = (
    Caller("stranger"),
    Caller("ann", "ann.fuzz@example.com"),
    Caller("ben", "ben.fuzz@example.com"),
    Caller("staff", "staff.fuzz@example.com"),
)


@dataclass(frozen=True)
class Plan:
    """Who goes through which phases, and which share of the operations has to accept something."""

    parts: Sequence[tuple[Caller, Sequence[str]]]
    without: str = "^$"
    """A regular expression of operations' names that are left out."""
    least_accepted: float = 0.25
    """Of all; schemathesis counts acceptance only where a body or a query can be wrong."""


SHORT = Plan([(STAFF, ["coverage"]), (ANN, ["stateful"])], without=r"\.put$")
"""Every edge of every parameter as staff, who get furthest, and as a customer one thing after
another; without PUT, which is PATCH by another name."""
LONG = Plan([(caller, PHASES) for caller in CALLERS])
Figures = dict[str, int]
Problems = list[str]


def run(shop: Shop, examples: int, seed: int, plan: Plan = LONG) -> tuple[Figures, Problems]:
    """Send `examples` random cases an operation, caller and phase, beside those that follow from
    the document. Two callers at a time.

    The figures are the cases, the operations that were reached, and those of them that accepted
    something; the problems are one line each. A run that reached little is a problem too.
    """
    prepare(shop)
    with ThreadPoolExecutor(2) as lanes:
        reports = list(
            lanes.map(lambda part: _report(shop, examples, seed, plan, *part), plan.parts)
        )
    figures = _figures(reports)
    problems = [line for report in reports for line in _problems(report)]
    if figures["accepted_operations"] < figures["operations"] * plan.least_accepted:
        problems.append(f"vacuous: too few operations accepted anything: {figures}")
    return figures, problems


def prepare(shop: Shop) -> None:
    """Something to sell, and staff; customers register themselves."""
    shop.flask("seed-db", "--products", "10", "--orders", "5", "--random-seed", "1")
    made = shop.flask("create-admin", STAFF.email, PASSWORD)
    if made.exit_code:
        raise RuntimeError(f"No account for staff: {made.output}")


def _report(
    shop: Shop, examples: int, seed: int, plan: Plan, caller: Caller, phases: Iterable[str]
) -> dict[str, Any]:
    """What schemathesis reports of one caller."""
    with tempfile.TemporaryDirectory(prefix="shopswift-fuzz-") as folder:
        report = Path(folder) / "report.json"
        told = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "--no-color",
             "run", f"{shop.address}/api/openapi.json", "--phases", ",".join(phases),
             "--exclude-operation-id-regex", plan.without, "--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure",
             "--no-shrink", "--report", "json", "--report-json-path", report],
            env={**os.environ, **_environ(shop, caller)},
            cwd=folder,
            capture_output=True,
            text=True,
        )  # fmt: skip
        if not report.is_file():
            raise RuntimeError(f"schemathesis did not run: {told.stdout}{told.stderr}")
        return {"caller": caller.name, **json.loads(report.read_text())}


def _environ(shop: Shop, caller: Caller) -> dict[str, str]:
    return {
        "SCHEMATHESIS_HOOKS": "tests.reliability.fuzz_hooks",
        "PYTHONPATH": str(ROOT),
        "FUZZ_ADDRESS": shop.address,
        "FUZZ_EMAIL": caller.email,
        "FUZZ_PASSWORD": PASSWORD,
    }


def _figures(reports: Iterable[dict[str, Any]]) -> Figures:
    cases, accepted, operations = 0, Counter[str](), 0
    for report in reports:
        cases += report["test_cases"]["generated"]
        operations = max(operations, report["operations"]["tested"])
        for operation, phases in report["valid_rates"].items():
            accepted[operation] += sum(rates["accepted"] for rates in phases.values())
    return {
        "cases": cases,
        "operations": operations,
        "accepted_operations": sum(1 for times in accepted.values() if times),
    }


def _problems(report: dict[str, Any]) -> Problems:
    """Every failure and error in one line each."""
    found = [
        f"{failure['title']} ({failure['code']}): {', '.join(failure['operations'])}"
        for failure in report["failures"]
    ]
    found += [f"error: {json.dumps(error)[:300]}" for error in report["errors"]]
    return [f"as {report['caller']}: {line}" for line in found]
