"""Which tests execute which lines of the modules under mutation."""

import sys
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest


class LineCoverage:
    """Notes the lines that each test executes, its threads included, and how long it takes."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = frozenset(paths)
        self._tests: dict[tuple[str, int], set[pytest.Item]] = defaultdict(set)
        self._lines: set[tuple[str, int]] = set()
        self.seconds: dict[pytest.Item, float] = {}

    @contextmanager
    def noting(self, test: pytest.Item) -> Iterator[None]:
        """Note what is executed meanwhile as executed by this test."""
        self._lines = set()
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            for line in self._lines:
                self._tests[line].add(test)

    def of_lines(self, path: str, first: int, last: int) -> set[pytest.Item]:
        """The tests that execute one of these lines."""
        lots = [self._tests.get((path, line), set()) for line in range(first, last + 1)]
        return set().union(*lots)

    def of_module(self, path: str) -> set[pytest.Item]:
        """The tests that execute a function of a module."""
        return {test for place, tests in self._tests.items() if place[0] == path for test in tests}

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> Any:
        return self._step if frame.f_code.co_filename in self._paths else None

    def _step(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            self._lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._step
