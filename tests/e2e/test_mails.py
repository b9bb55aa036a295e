"""Every mail as a mail program shows it: readable, light and dark, on a telephone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from app import create_app
from app.config import Testing
from app.web.mails.samples import render_sample, sample_shop
from app.web.mails.templates import all_templates
from tests.e2e.look import AXE, OVERFLOW, RUN, SCREENSHOTS

pytestmark = pytest.mark.processes

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDTHS = (390, 720)
NAMES = [template.name for template in all_templates()]


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The HTML of each mail's sample."""
    app = create_app(Testing({"DATABASE_URL": "sqlite:////nowhere", "LOG_LEVEL": "WARNING"}))
    with app.app_context():
        return {name: render_sample(name, sample_shop()).html for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_every_mail_can_be_read(browser: Browser, pages, name):
    with browser.new_page() as page:
        page.set_content(pages[name])
        wrong = list(look(page, name))
    assert not wrong, "\n".join(wrong)


def look(page: Page, name: str) -> Iterator[str]:
    """What is wrong with the mail that is shown; keeps pictures of it."""
    page.evaluate(AXE)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 600})
            path = SCREENSHOTS / "mails" / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=path, full_page=True)
            for problem in (*page.evaluate(OVERFLOW), *page.evaluate(RUN, RULES)):
                yield f"{name} {scheme} {width}: {problem}"
