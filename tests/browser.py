"""A real Chromium for the tests that want one, and an eye on everything that it complains about."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = "no Chromium on this machine (CHROMIUM_PATH may name one)"
FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage")
SECONDS = 1000
PATIENCE = 60 * SECONDS
"""How long to wait for anything: nothing here is about speed, and machines may be busy."""
REPORT = "document.addEventListener('securitypolicyviolation', e => console.error(`CSP: ${e.violatedDirective}`))"


def chromium() -> str | None:
    """CHROMIUM_PATH, or the first on the path."""
    return os.environ.get("CHROMIUM_PATH") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def started() -> Iterator["Browser"]:
    """A Chromium; where none is found, the test is skipped, or fails if INSIST_ON_BROWSER is set."""
    program = chromium()
    if program is None and os.environ.get("INSIST_ON_BROWSER"):
        pytest.fail(MISSING)
    if program is None:
        pytest.skip(MISSING)
    from playwright.sync_api import sync_playwright  # slow to load, and most tests need none

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=PATIENCE)
        yield browser
        browser.close()


def watch(context: "BrowserContext", home: str) -> list[str]:
    """What goes wrong from now on: errors in the console, broken rules of the content security
    policy, scripts that fail, and requests to any other host than `home`."""
    told: list[str] = []

    def note_console(said):
        # That a page itself is a 404 is no fault of the page, and its test knows.
        is_status = said.text.startswith("Failed to load resource") and said.page is not None
        if said.type == "error" and not (is_status and said.location["url"] == said.page.url):
            told.append(f"{said.text} ({said.location['url']})")

    def note_request(request):
        if not request.url.startswith((home, "data:", "blob:")):
            told.append(f"asked elsewhere: {request.url}")

    context.add_init_script(REPORT)
    context.on("console", note_console)
    context.on("weberror", lambda error: told.append(str(error.error)))
    context.on("request", note_request)
    return told
