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
SIZE = {"width": 1280, "height": 860}
MOST_BYTES = 150 * 1024


def main() -> None:
    """A new shop, three looks at it."""
    DOCS.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        environ = seeded(settings(f"sqlite:///{folder}/shop.db", Path(folder)))
        with browsers.started() as browser, servers.shop(environ) as address:
            page = browser.new_page(base_url=address, viewport=SIZE, reduced_motion="reduce")
            take(page, "/", "home")
            take(page, "/products/linen-shirt", "product")
            shopping.sign_in(page, shopping.STAFF, at="/admin")
            take(page, "/admin", "staff")


def take(page: Page, address: str, name: str) -> None:
    """Keep a picture of what stands at an address."""
    page.goto(address, wait_until="networkidle")
    file = DOCS / f"{name}.webp"
    with Image.open(BytesIO(page.screenshot())) as picture:
        picture.save(file, "WEBP", quality=85, method=6)
    if file.stat().st_size > MOST_BYTES:
        sys.exit(f"{file} is larger than {MOST_BYTES} bytes.")


if __name__ == "__main__":
    main()
