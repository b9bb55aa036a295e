"""The API's documentation in a real browser, under the policy that forbids all inline code."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from tests import servers

REPORT = (
    "document.addEventListener('securitypolicyviolation', e => console.error(e.violatedDirective))"
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SECONDS = 1000


def chromium() -> str | None:
    """CHROMIUM, or the first on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a real browser."""
    program = chromium()
    if program is None and not os.environ.get("CI"):
        pytest.skip("no Chromium on this machine; CHROMIUM may name one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


@pytest.mark.only_on("sqlite")
def test_the_documentation_works_and_breaks_no_rule(app, environ, page):
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script(REPORT)

    with servers.shop(environ, workers=1) as address:
        page.goto(f"{address}/api/docs")
        page.locator('[id$="list_categories"] button').first.click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        status = page.locator(".live-responses-table .response-col_status").last
        status.wait_for(timeout=30 * SECONDS)
        told = status.inner_text()
        page.get_by_role("button", name="Authorize").first.click()
        page.get_by_role("heading", name="Available authorizations").wait_for()

    assert told.startswith("200")
    assert complaints == []


@pytest.mark.only_on("sqlite")
def test_the_browser_would_complain_of_inline_code(app, environ, page):
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)

    with servers.shop(environ, workers=1) as address:
        page.goto(f"{address}/api/docs")
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')")
        page.evaluate(
            "document.head.appendChild(document.createElement('script')).text = 'hacked = 1'"
        )

    assert any("style-src" in complaint for complaint in complaints)
    assert page.evaluate("typeof hacked") == "undefined"
