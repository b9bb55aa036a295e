"""People who buy, in a real browser on a real server."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import shopping
from tests.e2e.shopping import ADDRESS, OTHER_THING, THING

pytestmark = pytest.mark.processes

IS_SEEN = """() => {
  const seen = [document.activeElement, document.activeElement.closest("label")].filter(Boolean)
  return seen.some(it => getComputedStyle(it).outlineStyle !== "none"
                      || getComputedStyle(it).boxShadow !== "none")
}"""
NAME = "() => (e => e.labels?.[0]?.innerText || e.innerText)(document.activeElement) || ''"


@pytest.mark.parametrize("where", ["home", "postgresql_home"])
def test_a_guest_buys_and_only_the_holder_of_the_link_sees_the_order(visit, where, request):
    home = request.getfixturevalue(where)
    page, stranger, friend = (visit(home).new_page() for _ in range(3))

    shopping.take(page, THING, units=2)
    shopping.look_over(page, email="guest@example.com")
    number = shopping.place(page)
    link = page.get_by_role("link", name="token=").get_attribute("href")
    stranger.goto(f"/orders/{number}")
    friend.goto(link)

    expect(stranger.get_by_role("heading", name="Nothing here")).to_be_visible()
    expect(friend.get_by_role("heading", name=number)).to_be_visible()
    expect(page.get_by_role("link", name="Cart")).to_have_text("Cart")


def test_a_customer_registers_buys_and_cancels(visit):
    page = visit().new_page()

    shopping.register(page, "robin@example.com")
    shopping.take(page, THING)
    shopping.look_over(page)
    number = shopping.place(page)
    expect(page.get_by_role("button", name="Yes, cancel it")).to_be_hidden()
    page.get_by_text("Cancel the order").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_text("The order is cancelled.")).to_be_visible()
    page.goto("/account/orders")

    expect(page.get_by_role("row", name=number)).to_contain_text("Cancelled")


def test_signing_in_brings_the_cart_along(visit):
    page, elsewhere = visit().new_page(), visit().new_page()
    shopping.register(elsewhere, "merge@example.com")
    shopping.take(elsewhere, THING)

    shopping.take(page, OTHER_THING, units=2)
    shopping.sign_in(page, ("merge@example.com", "a few words in a row"))
    page.goto("/cart")

    expect(page.locator(".line")).to_have_count(2)
    expect(page.get_by_role("link", name="Cart 3")).to_be_visible()


def test_a_double_click_orders_once(visit):
    page = visit().new_page()
    shopping.register(page, "twice@example.com")
    shopping.take(page, THING)
    shopping.look_over(page)

    page.get_by_role("button", name="Place the order").dblclick()
    number = shopping.placed(page)

    assert orders_of(page) == [number]


def test_going_back_after_the_order_orders_nothing_more(visit):
    page = visit().new_page()
    shopping.register(page, "back@example.com")
    shopping.take(page, THING)
    shopping.look_over(page)
    number = shopping.place(page)

    page.go_back()
    expect(page.get_by_text("This order is placed.")).to_be_visible()
    page.wait_for_url(f"**/orders/{number}")
    page.go_back()

    expect(page.get_by_text("Your cart is empty")).to_be_visible()
    assert orders_of(page) == [number]


def test_the_last_look_sent_again_shows_the_same_order(visit):
    page = visit().new_page()
    shopping.register(page, "again@example.com")
    shopping.take(page, THING)
    shopping.look_over(page)
    form = page.locator("form[action='/checkout/order']").evaluate("form => form.outerHTML")
    number = shopping.place(page)

    page.evaluate(
        "html => document.querySelector('main').insertAdjacentHTML('beforeend', html)", form
    )
    again = shopping.place(page)

    assert again == number
    assert orders_of(page) == [number]


def test_without_javascript_everything_that_buying_needs_works(visit):
    page = visit(java_script_enabled=False).new_page()

    page.goto("/")
    page.get_by_label("Search the shop").fill("duvet")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Washed Linen Duvet Cover").click()
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_label("Quantity of").fill("2")
    page.get_by_role("button", name="Update").click()
    expect(page.get_by_role("link", name="Cart 2")).to_be_visible()
    shopping.look_over(page, email="plain@example.com")

    assert shopping.place(page)


def test_the_keyboard_alone_buys_and_shows_where_it_is(visit):
    page = visit().new_page()
    keys = page.keyboard

    page.goto(f"/products/{THING}")
    keys.press("Tab")
    assert page.evaluate(NAME) == "Skip to the content"
    keys.press("Enter")
    tab_to(page, "Add to cart")
    keys.press("Enter")
    page.wait_for_url("**/cart")
    tab_to(page, "Check out")
    keys.press("Enter")
    page.wait_for_url("**/checkout")
    for label, text in {
        "Email": "keys@example.com",
        **ADDRESS,
        "Country": "United Kingdom",
    }.items():
        tab_to(page, label)
        keys.type(text)
    tab_to(page, "Look it over")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Look it over")).to_be_visible()
    tab_to(page, "Place the order")
    keys.press("Enter")

    assert shopping.placed(page)


def test_suggestions_lead_to_a_product_by_keys_and_by_mouse(visit):
    page = visit().new_page()
    page.goto("/")
    field = page.get_by_role("combobox", name="Search the shop")

    field.press_sequentially("duv")
    page.get_by_role("option").first.wait_for()
    field.press("ArrowUp")
    field.press("ArrowDown")
    field.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_have_count(1)
    chosen = page.get_by_role("option", selected=True).inner_text()
    field.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(chosen)
    field.press_sequentially("duv")
    page.get_by_role("option", name=chosen).click()

    expect(page.get_by_role("heading", level=1)).to_have_text(chosen)


def test_suggestions_go_away_and_leave_the_search_as_it_is(visit):
    page = visit().new_page()
    page.goto("/")
    field = page.get_by_role("combobox", name="Search the shop")

    field.press_sequentially("duv")
    page.get_by_role("option").first.wait_for()
    field.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    field.press("Enter")

    page.wait_for_url("**/search?q=duv")


def test_a_quantity_changes_in_place_and_the_focus_stays(visit):
    page = visit().new_page()
    shopping.take(page, THING)
    shopping.take(page, OTHER_THING)
    page.evaluate("document.body.dataset.kept = 'yes'")
    field = page.get_by_label("Quantity of").first

    field.focus()
    field.press("ArrowUp")
    field.press("ArrowUp")

    expect(page.get_by_role("link", name="Cart 4")).to_be_visible()
    expect(field).to_be_focused()
    expect(page.get_by_role("status").last).to_contain_text("4 articles")
    page.get_by_role("button", name="Remove").first.click()
    expect(page.locator(".line")).to_have_count(1)
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("main").get_by_text("There is nothing in it yet.")).to_be_visible()
    assert page.evaluate("document.body.dataset.kept") == "yes"


def test_more_than_there_is_is_told_in_place(visit):
    page = visit().new_page()
    shopping.take(page, THING)
    page.evaluate("document.body.dataset.kept = 'yes'")

    page.get_by_label("Quantity of").fill("90000")
    page.get_by_label("Quantity of").press("Enter")

    expect(page.get_by_role("alert")).to_contain_text("can be had at present")
    expect(page.get_by_label("Quantity of")).to_have_value("1")
    assert page.evaluate("document.body.dataset.kept") == "yes"


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something of that name has the focus; wherever it is, it can be seen."""
    for _ in range(80):
        page.keyboard.press("Tab")
        assert page.evaluate(IS_SEEN), page.evaluate("document.activeElement.outerHTML")
        if page.evaluate(NAME).strip().startswith(name):
            return
    raise AssertionError(f"no way to {name}")


def orders_of(page: Page) -> list[str]:
    """The numbers of the customer's orders."""
    page.goto("/account/orders")
    return page.locator("tbody th").all_inner_texts()
