"""Draws the README's pictures anew: `python -m tests.e2e.readme_pictures`, once the pages have changed."""

import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page

from app.config import ROOT
from tests import browser as browsers
from tests import servers
from tests.e2e import shopping
from tests.e2e.conftest import seeded, settings

DOCS = ROOT / "docs"
WIDTH = 1280
MOST_BYTES = 150 * 1024


def main() -> None:
    """A new shop, three looks at it."""
    DOCS.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        environ = seeded(settings(f"sqlite:///{folder}/shop.db", Path(folder)))
        with browsers.started() as browser, servers.shop(environ) as address:
            page = browser.new_page(base_url=address, reduced_motion="reduce")
            take(page, "/", "home", 1260)
            take(page, "/products/oak-chopping-board", "product", 860)
            shopping.sign_in(page, shopping.STAFF, at="/admin")
            take(page, "/admin", "staff", 1140)


def take(page: Page, address: str, name: str, height: int) -> None:
    """Keep a picture of what stands at an address, as far down as told."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.goto(address, wait_until="networkidle")
    file = DOCS / f"{name}.webp"
    with Image.open(BytesIO(page.screenshot())) as picture:
        picture.save(file, "WEBP", quality=85, method=6)
    if file.stat().st_size > MOST_BYTES:
        sys.exit(f"{file} is larger than {MOST_BYTES} bytes.")


if __name__ == "__main__":
    main()
