"""Starts the real servers once for the whole run, workers included."""

import os
from contextlib import ExitStack

import pytest
from sqlalchemy import make_url

from tests import servers

_running = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL and Valkey in the controlling process; workers find them by their URLs."""
    if hasattr(config, "workerinput") or _only_unit_tests(config):
        return
    config.stash[_URLS] = {
        "TEST_DATABASE_URL": _running.enter_context(servers.postgresql()),
        "TEST_REDIS_URL": _running.enter_context(servers.redis_server()),
    }
    os.environ.update(config.stash[_URLS])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    _running.close()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which servers the tests use."""
    urls = config.stash.get(_URLS, {})
    return [f"{name}: {make_url(url).render_as_string()}" for name, url in urls.items()]


_URLS = pytest.StashKey[dict[str, str]]()


def _only_unit_tests(config: pytest.Config) -> bool:
    chosen = [argument for argument in config.args if not argument.startswith("-")]
    return bool(chosen) and all("tests/unit" in path or path.startswith("unit") for path in chosen)
