"""What a page weighs, counted by the browser itself."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.processes

MOST_BYTES, MOST_REQUESTS = 60 * 1024, 8


def test_a_category_page_of_24_products_is_light(visit):
    page = visit().new_page()
    loaded = count_bytes(page)

    page.goto("/categories/home", wait_until="networkidle")

    expect(page.locator(".card")).to_have_count(24)
    assert sum(loaded) <= MOST_BYTES, loaded
    assert len(loaded) <= MOST_REQUESTS, loaded


def count_bytes(page: Page) -> list[int]:
    """The bytes of each answer from now on as they come over the wire, headers and body, compressed
    as the server does it; nothing is in the browser's cache yet."""
    loaded: list[int] = []
    protocol = page.context.new_cdp_session(page)
    protocol.on(
        "Network.loadingFinished", lambda event: loaded.append(int(event["encodedDataLength"]))
    )
    protocol.send("Network.enable")
    return loaded
