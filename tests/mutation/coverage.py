"""Which tests execute which lines of the modules under mutation."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import coverage
import pytest


class LineCoverage:
    """Notes the lines that each test executes, its threads included, and how long it takes."""

    def __init__(self, paths: Collection[str]) -> None:
        self._measuring = coverage.Coverage(
            data_file=None, config_file=False, include=[*paths], messages=False
        )
        self._tests: dict[str, pytest.Item] = {}
        self._contexts: dict[str, dict[int, set[str]]] = {}
        self.seconds: dict[pytest.Item, float] = {}

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure meanwhile; nothing can be asked before the end."""
        self._measuring.start()
        try:
            yield
        finally:
            self._measuring.stop()
        data = self._measuring.get_data()
        for path in data.measured_files():
            lines = data.contexts_by_lineno(path)
            self._contexts[path] = {line: {*names} - {""} for line, names in lines.items()}

    def begin(self, test: pytest.Item) -> None:
        """What is executed from now on, is executed by this test."""
        self._tests[test.nodeid] = test
        self._measuring.switch_context(test.nodeid)

    def of_lines(self, path: str, first: int, last: int) -> set[pytest.Item]:
        """The tests that execute one of these lines."""
        lines = self._contexts.get(path, {})
        names = set().union(*(lines.get(line, set()) for line in range(first, last + 1)))
        return {self._tests[name] for name in names}

    def of_module(self, path: str) -> set[pytest.Item]:
        """The tests that execute a function of a module."""
        names: set[str] = set().union(*self._contexts.get(path, {}).values())
        return {self._tests[name] for name in names}
