"""What a real browser makes of the shop's rules: no inline code, and no way back to another site."""

import random
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from app.web.redirects import safe_target
from tests import browser
from tests.unit.web.test_redirects import EVIL, INSIDE, WORDS

ORIGINS = (
    "paths => [...new Set(paths.map(path => new URL(path, 'https://shop.example/login').origin))]"
)
pytestmark = [pytest.mark.processes, pytest.mark.only_on("sqlite")]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all of these tests."""
    with browser.started() as chromium:
        yield chromium


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page in a context of its own, which notes what breaks the policy."""
    page = chromium.new_page()
    page.add_init_script(browser.REPORT)
    yield page
    page.close()


def complaints_of(page: Page) -> list[str]:
    """The errors that the browser tells from now on."""
    told: list[str] = []
    page.on("console", lambda said: told.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    return told


def test_the_documentation_works_and_breaks_no_rule(app, server_address, page):
    complaints = complaints_of(page)

    page.goto(f"{server_address}/api/docs")
    page.locator('[id$="list_categories"] button').first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    status = page.locator(".live-responses-table .response-col_status").last
    status.wait_for(timeout=browser.PATIENCE)
    told = status.inner_text()
    page.get_by_role("button", name="Authorize").first.click()
    page.get_by_role("heading", name="Available authorizations").wait_for()

    assert told.startswith("200")
    assert complaints == []


def test_no_page_breaks_a_rule_and_inline_code_would(app, server_address, page):
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in rule.methods]
    paths = [rule.rule for rule in rules if not rule.arguments]
    client = app.test_client()
    pages = [path for path in paths if client.get(path, buffered=True).mimetype == "text/html"]
    complaints = complaints_of(page)

    for path in pages:
        page.goto(server_address + path)
    broken = list(complaints)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')")
    page.evaluate("document.head.appendChild(document.createElement('script')).text = 'x = 1'")

    assert {"/", "/api/docs"} <= set(pages)
    assert broken == []
    assert any("style" in complaint for complaint in complaints)
    assert page.evaluate("typeof x") == "undefined"


def test_no_way_back_leads_out_of_the_shop(page):
    odd = [*WORDS, "\r", "\0", "%5c%5c", "%2f%2f", "＼", "⁄"]
    asked = ["/" + "".join(random.choices(odd, k=random.randint(0, 9))) for _ in range(3000)]

    kept = [safe_target(target, "") for target in asked + EVIL + INSIDE]

    assert page.evaluate(ORIGINS, [path for path in kept if path]) == ["https://shop.example"]
