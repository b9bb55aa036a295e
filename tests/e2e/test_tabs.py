"""People who go back, and who have several tabs open, in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import shopping
from tests.e2e.shopping import CUSTOMER, THING

pytestmark = pytest.mark.processes

PASSWORD = "a few words in a row"
ONCE_MORE = "Please send that again"


def sign_out(page: Page) -> None:
    """Sign out, as whoever is signed in."""
    page.goto("/account")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def add_to_cart(page: Page) -> None:
    """Put what the page shows into the cart."""
    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_text("It is in your cart.")).to_be_visible()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_back_from_the_cart_leads_to_the_review_and_to_the_form_filled_in(visit, has_scripts):
    page = visit(java_script_enabled=has_scripts).new_page()
    shopping.take(page, THING)
    shopping.look_over(page, email="back-and-forth@example.com")
    page.get_by_role("link", name="Change the cart").click()

    page.go_back()
    expect(page.get_by_role("heading", name="Look it over")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Look it over")).to_be_visible()
    page.go_back()

    expect(shopping.shown(page, "Full name")).to_have_value("Ada Guest")


def test_back_passes_a_form_that_was_refused(visit):
    page = visit().new_page()
    page.goto("/search")
    page.goto("/login")
    for password in ("not the password", CUSTOMER[1]):
        page.get_by_label("Email").fill(CUSTOMER[0])
        page.get_by_label("Password").fill(password)
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        page.wait_for_load_state()
    page.wait_for_url("**/account")

    for _ in range(4):
        if not page.url.endswith("/search"):
            page.go_back()

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_url("**/search")


def test_back_from_a_refused_form_leads_to_the_form(visit):
    page = visit(java_script_enabled=False).new_page()
    page.goto("/login")
    page.get_by_label("Email").fill("nobody@example.com")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()

    page.go_back()

    expect(page.get_by_label("Email")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_what_is_added_after_signing_in_and_out_in_another_tab_is_in_the_cart(visit):
    context = visit()
    page, other = context.new_page(), context.new_page()

    page.goto(f"/products/{THING}")
    shopping.register(other, "two-tabs@example.com")
    add_to_cart(page)
    page.goto(f"/products/{THING}")
    sign_out(other)
    add_to_cart(page)

    expect(page.get_by_role("link", name="Cart 1")).to_be_visible()


def test_an_order_waits_while_its_customer_is_signed_out_in_another_tab(visit):
    context = visit()
    page, other = context.new_page(), context.new_page()
    shopping.register(page, "signed-out@example.com")
    shopping.take(page, THING)
    shopping.look_over(page)
    sign_out(other)

    page.get_by_role("button", name="Place the order").click()
    expect(page.get_by_role("heading", name=ONCE_MORE)).to_be_visible()
    shopping.sign_in(other, ("signed-out@example.com", PASSWORD))
    page.get_by_role("button", name="Send it again").click()

    assert shopping.placed(page)


def test_no_form_acts_on_the_account_of_somebody_else_unasked(visit):
    context = visit()
    page, other = context.new_page(), context.new_page()
    shopping.register(page, "first@example.com")
    page.goto("/account/profile")
    sign_out(other)
    shopping.register(other, "second@example.com")

    page.get_by_label("First name").fill("Somebody else")
    page.get_by_role("button", name="Keep it").click()

    expect(page.get_by_role("heading", name=ONCE_MORE)).to_be_visible()
    other.goto("/account")
    expect(other.get_by_role("heading", name="Hello, Robin")).to_be_visible()
    page.get_by_role("button", name="Send it again as second@example.com").click()
    expect(page.get_by_role("heading", name="Hello, Somebody else")).to_be_visible()
