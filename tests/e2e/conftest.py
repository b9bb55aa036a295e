"""A browser, and the shop on a real server with the demo data in it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from app import create_app
from app.config import Testing
from app.extensions import db
from tests import browser as browsers
from tests import roles, servers
from tests.integration.conftest import WORKER, migrated, own_redis

Visit = Callable[..., BrowserContext]
expect.set_options(timeout=browsers.PATIENCE // 3)


# Not for the session: while Playwright runs, other tests of this worker could use no event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all of these tests."""
    with browsers.started() as browser:
        yield browser


@pytest.fixture(scope="package")
def shop_environ(tmp_path_factory: Any) -> dict[str, str]:
    """The settings of the shop on SQLite, with the demo data in it."""
    folder: Path = tmp_path_factory.mktemp("shop")
    return seeded(settings(f"sqlite:///{folder / 'shop.db'}", folder))


@pytest.fixture(scope="package")
def home(browser: Browser, shop_environ: dict[str, str]) -> Iterator[str]:
    """The address of the shop on SQLite."""
    with servers.shop(shop_environ) as address:
        yield address


@pytest.fixture
def postgresql_home(browser: Browser, tmp_path: Path) -> Iterator[str]:
    """The address of the shop on PostgreSQL and Valkey."""
    with ExitStack() as running:
        maintenance = os.environ["TEST_DATABASE_URL"]
        url = running.enter_context(servers.database(maintenance, f"shopswift_e2e_{WORKER}"))
        environ = {**settings(url, tmp_path), "REDIS_URL": own_redis()}
        yield running.enter_context(servers.shop(seeded(environ)))


@pytest.fixture
def visit(browser: Browser, home: str) -> Iterator[Visit]:
    """Makes visitors of the shop, who share nothing. Whatever they do, their browsers must find
    nothing to complain about."""
    complaints: list[list[str]] = []

    def visitor(home: str = home, **options: Any) -> BrowserContext:
        context = browser.new_context(base_url=home, **options)
        running.callback(context.close)
        context.set_default_timeout(browsers.PATIENCE)
        context.set_default_navigation_timeout(browsers.PATIENCE)
        complaints.append(browsers.watch(context, home))
        return context

    with ExitStack() as running:
        yield visitor
    assert not any(complaints), complaints


def settings(database: str, folder: Path) -> dict[str, str]:
    """A shop of its own, which lets people in as often as they like."""
    return {
        "FLASK_ENV": "testing",
        **roles.settings(database),
        "REDIS_URL": "",
        "MEDIA_FOLDER": str(folder / "media"),
        "RATELIMIT_ENABLED": "false",
        "SECRET_KEY": "tests-only-secret-of-more-than-32-bytes",
        "JWT_SECRET_KEY": "tests-only-jwt-secret-of-more-than-32-bytes",
        "LOG_LEVEL": "WARNING",
    }


def seeded(environ: dict[str, str]) -> dict[str, str]:
    """The same shop, with the demo data in its database."""
    migrated(environ["DATABASE_URL"])
    app = create_app(Testing(environ))
    assert app.test_cli_runner().invoke(args=["seed-db"]).exit_code == 0
    with app.app_context():
        db.engine.dispose()
    return environ
