"""Starts the real servers once for the whole run, workers included."""

import gc

gc.disable()  # until the tests are collected: nearly all that is loaded until then stays

# ruff: noqa: E402
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from tests import browser, order, servers

_running = ExitStack()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--fast`."""
    parser.addoption(
        "--fast",
        action="store_true",
        help="only tests on SQLite or without a database that start no servers or other processes",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL and Valkey in the controlling process; workers find them by their URLs."""
    if hasattr(config, "workerinput") or _only_unit_tests(config) or config.getoption("--fast"):
        return
    templates = tempfile.TemporaryDirectory(prefix="shopswift-templates-")
    os.environ["TEST_TEMPLATES_FOLDER"] = _running.enter_context(templates)
    Path(templates.name).chmod(0o711)  # PostgreSQL runs as another user where we are root
    config.stash[_URLS] = {
        "TEST_DATABASE_URL": _running.enter_context(servers.postgresql()),
        "TEST_REDIS_URL": _running.enter_context(servers.redis_server()),
    }
    os.environ.update(config.stash[_URLS])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the tests of `--fast`, and put the tests of several workers in an order."""
    if config.getoption("--fast"):
        _leave_out(config, items)
    count = getattr(config, "workerinput", {}).get("workercount", 1)
    if count > 1:
        items[:] = order.long_tests_first(items, count)


def _leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `--fast` leaves out: of a test that uses the database, all but one case too."""
    chosen, with_database = [], set()
    for item in items:
        test = item.nodeid.partition("[")[0]
        if _is_fast(item) and test not in with_database:
            chosen.append(item)
            if "database" in getattr(item, "fixturenames", ()):
                with_database.add(test)
    config.hook.pytest_deselected(items=[*{*items} - {*chosen}])
    items[:] = chosen


def _is_fast(item: pytest.Item) -> bool:
    if any(item.get_closest_marker(marker) for marker in ("slow", "processes", "thorough")):
        return False
    only = item.get_closest_marker("only_on")
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    is_on_sqlite = parameters.get("database", "sqlite") == "sqlite"
    return is_on_sqlite and (only is None or "sqlite" in only.args)


def pytest_collection_finish() -> None:
    """Leave what is loaded by now alone: looking through it for garbage, again and again, takes a
    fifth of the whole run."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    _running.close()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which servers the tests use, and which browser."""
    urls = config.stash.get(_URLS, {})
    used = [f"{name}: {make_url(url).render_as_string()}" for name, url in urls.items()]
    return [*used, f"browser: {browser.chromium() or browser.MISSING}"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say it in so many words where the tests in a browser were left out."""
    skipped = terminalreporter.stats.get("skipped", [])
    left_out = sum(browser.MISSING in str(report.longrepr) for report in skipped)
    if left_out:
        line = f"Tests in a browser were skipped ({left_out}): {browser.MISSING}."
        terminalreporter.write_line(line, yellow=True, bold=True)


_URLS = pytest.StashKey[dict[str, str]]()


def _only_unit_tests(config: pytest.Config) -> bool:
    chosen = [argument for argument in config.args if not argument.startswith("-")]
    return bool(chosen) and all("tests/unit" in path or path.startswith("unit") for path in chosen)


@pytest.fixture(autouse=True)
def _root_log_level() -> Iterator[None]:
    """Restore the level of the root logger, which every app that a test creates sets to its own."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
