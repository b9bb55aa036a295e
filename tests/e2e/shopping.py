"""What people do in the shop, as steps in a browser."""

import re
import time

import pyotp
from playwright.sync_api import Locator, Page, expect

from app.services.seeding.seed_service import DEMO_ADMIN, DEMO_CUSTOMER

CUSTOMER, STAFF = DEMO_CUSTOMER, DEMO_ADMIN
THING, OTHER_THING = "washed-linen-duvet-cover", "stoneware-mug"
PHRASE = "a few words in a row"
"""The password of accounts that `register` makes."""
ADDRESS = {
    "Full name": "Ada Guest",
    "Street and number": "1 Long Lane",
    "Postal code": "N1 1AA",
    "Town or city": "London",
}


def sign_in(page: Page, who: tuple[str, str], at: str = "/login") -> None:
    """Sign in, on the way to `at` if that asks for it."""
    page.goto(at)
    fill_in_sign_in(page, who)
    page.wait_for_url(lambda url: "/login" not in url)


def fill_in_sign_in(page: Page, who: tuple[str, str]) -> None:
    """Send the form with email and password."""
    page.get_by_label("Email").fill(who[0])
    page.get_by_label("Password").fill(who[1])
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def begin_second_factor(page: Page) -> str:
    """Begin to set up a second factor, on the page of the account's security; its secret."""
    page.get_by_role("button", name="Set up a second factor").click()
    page.get_by_label("Your password").fill(PHRASE)
    page.get_by_role("button", name="Continue").click()
    return page.locator("code.key").inner_text().replace(" ", "")


def enter_code(page: Page, label: str, secret: str, button: str, steps: int = 0) -> None:
    """Enter the code of this moment, or of so many steps later."""
    code = pyotp.TOTP(secret).at(int(time.time()) + 30 * steps)
    page.get_by_label(label, exact=True).fill(code)
    page.get_by_role("main").get_by_role("button", name=button).click()


def register(page: Page, email: str) -> None:
    """Make an account, and be signed in to it."""
    page.goto("/register")
    page.get_by_label("First name").fill("Robin")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PHRASE)
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_text("Your account is ready")).to_be_visible()


def take(page: Page, thing: str, units: int = 1) -> None:
    """Put something into the cart."""
    page.goto(f"/products/{thing}")
    page.get_by_label("Quantity").fill(str(units))
    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_text("It is in your cart.")).to_be_visible()


def look_over(page: Page, email: str = "") -> None:
    """Fill in who and where to, from the cart on, up to the last look."""
    page.get_by_role("button", name="Check out").click()
    if email:
        page.get_by_label("Email").fill(email)
    for label, text in ADDRESS.items():
        shown(page, label).fill(text)
    shown(page, "Country").select_option("GB")
    page.get_by_role("button", name="Look it over").click()
    expect(page.get_by_role("heading", name="Look it over")).to_be_visible()


def shown(page: Page, label: str) -> Locator:
    """The field with this label that is seen; the address of the bill has the same ones."""
    return page.get_by_label(label).filter(visible=True)


def place(page: Page) -> str:
    """Place the order; its number."""
    page.get_by_role("button", name="Place the order").click()
    return placed(page)


def placed(page: Page) -> str:
    """The number of the order that is shown, freshly placed."""
    page.wait_for_url(re.compile("/orders/"))
    expect(page.get_by_text("Your order is placed.")).to_be_visible()
    return page.get_by_role("heading", level=1).inner_text()


def upload_list(page: Page, text: str) -> None:
    """Upload a list of products, up to the preview of what it would do."""
    file = {"name": "list.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("A list in CSV").set_input_files([file])
    page.get_by_role("button", name="Look it over").click()
    heading = page.get_by_role("heading", name="What this list would do")
    expect(heading).to_be_visible()


def add_endpoint(page: Page, url: str = "https://erp.example/shop", description: str = "") -> None:
    """Add a receiver of webhooks."""
    page.goto("/admin/webhooks/new")
    page.get_by_label("URL").fill(url)
    page.get_by_label("Description").fill(description)
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("button", name="I have copied it")).to_be_visible()
