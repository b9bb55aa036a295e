"""The pytest plugin: runs the tests once, then the mutants of each module, each in a fork."""

import gc
import importlib
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.mutation import equal
from tests.mutation.coverage import LineCoverage
from tests.mutation.memory import Memory
from tests.mutation.operators import Mutation, mutations
from tests.mutation.planting import Planter
from tests.mutation.report import ModuleReport, summary
from tests.mutation.verdicts import Failures, Trial, Verdict, verdict_on

ROOT = Path(__file__).resolve().parents[2]


class MutationPlugin:
    """Plays the mutants of some modules against the tests that pytest has collected.

    Args:
        paths: of the modules.
        stages: the tests of the second and further ones are for those that survive the first.
        minutes: after these no further mutant is begun.
        budget: seconds of a processor that the tests may take on one mutant.
        memory: the verdicts of earlier runs.
    """

    def __init__(
        self, paths: Sequence[str], stages: Sequence[str], minutes: float, budget: float,
        memory: Memory,
    ) -> None:  # fmt: skip
        self._paths, self._stages, self._budget, self._memory = paths, stages, budget, memory
        self._end = time.monotonic() + 60 * minutes
        self._known = equal.read()
        self._failures = Failures()
        self.is_reached = False

    def pytest_sessionstart(self) -> None:
        """Let generated tests take their time, or a busy machine kills mutants."""
        from hypothesis import HealthCheck, settings  # pytest has to load it first

        settings.register_profile(
            "mutation", deadline=None, derandomize=True, database=None, max_examples=50,
            suppress_health_check=[*HealthCheck],
        )  # fmt: skip
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests once."""
        if session.testsfailed:
            raise session.Interrupted("The tests cannot be collected.")
        session.config.pluginmanager.register(self._failures)
        _silence_terminal(session.config)
        reports = [self._begin(path) for path in self._paths]
        for stage in self._stages:
            tests = [item for item in session.items if _stage_of(item) == stage]
            self._play(reports, tests, stage)
        line, self.is_reached = summary(reports)
        for report in reports:
            for told in report.lines():
                say(told)
        say(line)
        return True

    def _begin(self, path: str) -> ModuleReport:
        """A report in which all mutants still survive, but for those that are equal."""
        report = ModuleReport(path)
        known = [one for one in self._known if one.path == path]
        found = mutations((ROOT / path).read_text(encoding="utf-8"))
        for mutation in found:
            reason = next((one for one in known if one.applies_to(path, mutation)), None)
            if reason:
                report.equal.append((mutation, reason))
            else:
                report.verdicts.append((mutation, self._memory.verdict_on(path, mutation)))
        applied = [reason for _mutation, reason in report.equal]
        report.stale = [one for one in known if one not in applied]
        return report

    def _play(
        self, reports: Sequence[ModuleReport], tests: Sequence[pytest.Item], stage: str
    ) -> None:
        rounds = [self._round(report, stage) for report in reports]
        if not tests or not any(one.is_needed for one in rounds):
            return
        began = time.monotonic()
        coverage = LineCoverage([str(ROOT / report.path) for report in reports])
        failed = _run_once(tests, self._failures, coverage)
        say(
            f"{stage}: {len(tests)} tests run once in {time.monotonic() - began:.0f} s;"
            f" {len(failed)} fail on the unchanged shop and are left out"
        )
        for test in failed:
            say(f"  left out: {test.nodeid}")
        usable = [test for test in tests if test not in set(failed)]
        for one in rounds:
            if one.is_needed:
                one.play(usable, coverage)
                say(f"after {stage}: " + "\n".join(one.report.lines()))

    def _round(self, report: ModuleReport, stage: str) -> "_Round":
        return _Round(report, stage, self._memory, self._failures, self._budget, self._end)


class _Round:
    """The mutants of one module that survive so far, against the tests on one database."""

    def __init__(
        self, report: ModuleReport, stage: str, memory: Memory, failures: Failures, budget: float,
        end: float,
    ) -> None:  # fmt: skip
        self.report, self._stage, self._memory = report, stage, memory
        self._failures, self._budget, self._end = failures, budget, end
        self._path = str(ROOT / report.path)
        self._kills: Counter[tuple[str, pytest.Item]] = Counter()
        self._kills_of_files: Counter[Path] = Counter()

    @property
    def is_needed(self) -> bool:
        """Whether there is a mutant that was not tried in this stage before."""
        return any(self._is_open(*one) for one in self.report.verdicts)

    def _is_open(self, mutation: Mutation, verdict: Verdict) -> bool:
        was_tried = self._memory.has_survived(self.report.path, mutation, self._stage)
        is_for_another = self._stage == "sqlite" and mutation.is_about_locks
        return verdict == "survived" and not was_tried and not is_for_another

    def play(self, tests: Sequence[pytest.Item], coverage: LineCoverage) -> None:
        """Try the mutants."""
        self._tests, self._coverage = tests, coverage
        name = self.report.path.removesuffix(".py").replace("/", ".")
        self._planter = Planter(importlib.import_module(name))
        self._importing = self._tests_that_import()
        self._leave_out_confused()
        for index, (mutation, verdict) in enumerate(self.report.verdicts):
            if self._is_open(mutation, verdict):
                new = self._judge(mutation)
                self.report.verdicts[index] = (mutation, new)
                self._memory.note(self.report.path, mutation, new, self._stage)

    def _judge(self, mutation: Mutation) -> Verdict:
        if time.monotonic() > self._end:
            return "untried"
        covering = self._coverage.of_lines(self._path, *mutation.span)
        is_deep = not covering
        tests = self._order(mutation, covering)
        if not tests or (is_deep and not self._is_executed_by_import(mutation.function)):
            return "survived"
        verdict, test = self._try(mutation, is_deep, tests, self._budget)
        if verdict == "out of time":
            verdict = "survived"
        if verdict == "killed" and test:
            self._kills[mutation.function, test] += 1
            self._kills_of_files[test.path] += 1
        return verdict

    def _try(
        self, mutation: Mutation | None, is_deep: bool, tests: list[pytest.Item], budget: float
    ) -> tuple[Verdict, pytest.Item | None]:
        trial = Trial(mutation, is_deep, tests, self._coverage.seconds, budget)
        return verdict_on(trial, self._planter, self._failures)

    def _is_executed_by_import(self, function: str) -> bool:
        """Whether statements of the module itself name the function, or the mutant is one of them."""
        heads = ("def ", "class ", "@", " ", ")")
        lines = self._planter.source.splitlines()
        return any(function in line for line in lines if not line.startswith(heads))

    def _order(self, mutation: Mutation, covering: set[pytest.Item]) -> list[pytest.Item]:
        """The tests that execute the mutated statement, or else the module: those first that have
        noticed most in a second, in this function and, with their neighbours, in this module."""
        coverage = self._coverage
        tests = covering or coverage.of_module(self._path) | self._importing
        usable = [test for test in self._tests if test in tests]
        files = Counter(test.path for test in usable)

        def gain(test: pytest.Item) -> float:
            alone = self._kills[mutation.function, test]
            of_file = (1 + self._kills_of_files[test.path]) / (10 + files[test.path])
            is_about_it = 5 if test in self._importing else 1
            return (10 * alone + is_about_it * of_file) / (coverage.seconds[test] + 0.02)

        return sorted(usable, key=gain, reverse=True)

    def _tests_that_import(self) -> set[pytest.Item]:
        """The tests of files that import the module, or a function or class of it: one may look at
        its constants alone."""
        module = self._planter.module
        files = {test.module for test in self._tests if isinstance(test, pytest.Function)}
        importing = {
            file
            for file in files
            if any(
                thing is module or getattr(thing, "__module__", "") == module.__name__
                for thing in vars(file).values()
            )
        }
        return {test for test in self._tests if getattr(test, "module", None) in importing}

    def _leave_out_confused(self) -> None:
        """Leave out tests that fail where the module is only run again, as it is."""
        while True:
            covering = self._coverage.of_module(self._path)
            tests = [test for test in self._tests if test in covering]
            if not tests:
                return
            verdict, test = self._try(None, True, tests, 10 * self._budget)
            if verdict != "killed" or test is None:
                return
            say(f"  left out for {self.report.path}: {test.nodeid}")
            self._tests = [one for one in self._tests if one is not test]


def _run_once(
    tests: Sequence[pytest.Item], failures: Failures, coverage: LineCoverage
) -> list[pytest.Item]:
    """Run the tests as they are, and return those that fail. What they share stays set up."""
    failed = []
    with coverage.measuring():
        for test, following in zip(tests, [*tests[1:], *tests[-1:]], strict=True):
            began = time.monotonic()
            coverage.begin(test)
            if failures.of(test, following):
                failed.append(test)
            coverage.seconds[test] = time.monotonic() - began
    # Of the last one, only what it shares: or each fork would end it.
    tests[-1].session._setupstate.teardown_exact(tests[-1].parent)  # type: ignore[arg-type]
    for engine in [thing for thing in gc.get_objects() if isinstance(thing, Engine)]:
        engine.dispose()  # connections must not be shared with forks
    return failed


def _stage_of(item: pytest.Item) -> str:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return str(parameters.get("database", "no database"))


def _silence_terminal(config: pytest.Config) -> None:
    """Drop what pytest itself prints of each test."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    reporter._tw._file = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end


def say(line: str) -> None:
    """Print a line at once, past pytest's capturing."""
    sys.__stdout__.write(line + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]
