"""What is for sale, as people see it: lists with choices in their address, products, their head."""

import gzip
import json
import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from app import create_app
from app.config import Testing
from app.db.paging import MAX_DEPTH, Page
from app.models import Product
from app.pages.formats import money
from app.pages.shop.listing import LAST_PAGE, PER_PAGE, read_listing
from tests import factories
from tests.integration.browsing import Browser, links
from tests.integration.conftest import empty_cache
from tests.integration.db.test_query_counts import counted


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def shelf(app: Flask) -> dict[str, Product]:
    """Shirts in sizes and colours, a lamp, and a bag that is sold out, in two categories."""
    with app.app_context():
        clothes = factories.category(name="Clothes", slug="clothes")
        shirts = factories.category(name="Shirts", slug="shirts", parent_id=clothes.id)
        home = factories.category(name="Home", slug="home")
        shirt = [
            {"options": {"Size": "S", "Colour": "Red"}, "price": 2000, "stock": 3},
            {"options": {"Size": "M", "Colour": "Red"}, "price": 2500, "stock": 0},
        ]
        tee = [
            {"options": {"Size": "M", "Colour": "Blue"}, "price": 1500, "stock": 9},
        ]
        return {
            "shirt": factories.product_with_variants(
                shirt, name="Linen Shirt", slug="linen-shirt", category_id=shirts.id,
                description="Cool.\nWashed.", compare_at_price=3000,
                options=[{"name": "Size", "values": ["S", "M"]}, {"name": "Colour", "values": ["Red"]}],
            ),
            "tee": factories.product_with_variants(
                tee, name="Plain Tee", slug="plain-tee", category_id=shirts.id
            ),
            "lamp": factories.product(price=12000, name="Ash Lamp", slug="ash-lamp", category_id=home.id),
            "bag": factories.product(price=6000, stock=0, name="Day Bag", slug="day-bag"),
        }  # fmt: skip


def names(html: str) -> list[str]:
    """What a list shows, in its order."""
    return re.findall(r"</span>\s*<h[23]>([^<]*)</h[23]>", html)


def leads(html: str, label: str) -> str:
    """The address of the link with this text, counts aside."""
    found = re.search(rf'href="([^"]*)"[^>]*>\s*(?:<span[^>]*>)?(?:Remove </span>)?{label}', html)
    assert found, label
    return found.group(1).replace("&amp;", "&")


def test_the_front_page_shows_what_is_reduced_what_is_new_and_where_things_are(browser, shelf):
    html = browser.get("/").text

    assert names(html) == ["Linen Shirt", "Day Bag", "Ash Lamp", "Plain Tee", "Linen Shirt"]
    assert "/categories/clothes" in links(html)
    assert "/categories/shirts" not in links(html)


def test_an_empty_shop_says_so_kindly(browser):
    assert "The shelves are still empty" in browser.get("/").text
    assert "Nothing here" in browser.get("/search").text


def test_a_category_shows_what_lies_below_it_too(browser, shelf):
    html = browser.get("/categories/clothes").text

    assert names(html) == ["Plain Tee", "Linen Shirt"]
    assert "2 products" in html
    assert '<span>Shirts</span> <span class="count">2</span>' in html


@pytest.mark.parametrize("path", ["/categories/nothing", "/products/nothing", "/products/%00"])
def test_what_is_not_there_is_a_page_that_leads_on(browser, path):
    response = browser.get(path)

    assert response.status_code == 404
    assert response.mimetype == "text/html"
    assert "/search" in links(response.text)


def test_ids_lead_to_the_address_by_name(browser, shelf):
    shirt = shelf["shirt"]

    assert browser.get(f"/products/{shirt.id}").headers["Location"] == "/products/linen-shirt"
    moved = browser.get(f"/categories/{shirt.category_id}?sort=price")
    assert moved.status_code == 301
    assert moved.headers["Location"] == "/categories/shirts?sort=price"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=shirt", ["Linen Shirt"]),
        ("q=nothing-like-it", []),
        ("q=%21", []),
        ("sort=price", ["Plain Tee", "Linen Shirt", "Day Bag", "Ash Lamp"]),
        ("sort=name", ["Ash Lamp", "Day Bag", "Linen Shirt", "Plain Tee"]),
        ("sort=-price&in_stock=true", ["Ash Lamp", "Linen Shirt", "Plain Tee"]),
        ("sort=price&min_price=20&max_price=60", ["Linen Shirt", "Day Bag"]),
        ("category=home", ["Ash Lamp"]),
        ("category=gone", []),
        ("o.Size=M&sort=price", ["Plain Tee", "Linen Shirt"]),
        ("o.Size=M&in_stock=true", ["Plain Tee"]),
        ("o.Size=S&o.Size=M&sort=price", ["Plain Tee", "Linen Shirt"]),
        ("o.Size=S&o.Colour=Blue", []),
        ("o.Size=M&o.Colour=Blue", ["Plain Tee"]),
        ("in_stock=false&sort=price&max_price=20", ["Plain Tee", "Linen Shirt"]),
        ("o.Si%22ze=M", []),
        ("o.Size=%27%22%5C", []),
    ],
)
def test_all_that_is_chosen_stands_in_the_address(browser, shelf, query, expected):
    response = browser.get(f"/search?{query}")

    assert response.status_code == 200
    assert names(response.text) == expected


@pytest.mark.parametrize(
    "query",
    ["min_price=cheap", "max_price=1e99", "sort=sideways", "sort=relevance", "page=0", "page=x",
     "page=99999999999", "in_stock=perhaps", "o.=x", "o.Size=", "o.Size=%00", "q=%00",
     "category=%00&q=", "min_price=%D9%A3"],
)  # fmt: skip
def test_what_cannot_be_read_in_an_address_is_left_out(browser, shelf, query):
    response = browser.get(f"/search?{query}")

    assert response.status_code == 200
    assert len(names(response.text)) == 4


def counts(html: str) -> dict[str, str]:
    """How many products each choice says that it leaves."""
    return dict(re.findall(r"<span>([^<]*)</span> <span class=\"count\">(\d+)</span>", html))


def test_each_choice_says_how_many_products_it_leaves(browser, shelf):
    everything = counts(browser.get("/search").text)
    clothes = counts(browser.get("/categories/clothes").text)

    assert everything == {
        "Clothes": "2", "Home": "1", "In stock": "3", "$10.00 – $24.99": "2",
        "$50.00 – $99.99": "1", "$100.00 – $249.99": "1",
    }  # fmt: skip
    assert clothes == {
        "Shirts": "2", "In stock": "2", "M": "2", "S": "1", "Red": "1",
        "Blue": "1",
    }  # fmt: skip


def test_a_choice_is_counted_under_all_others_but_not_under_itself(browser, shelf):
    found = counts(browser.get("/search?o.Colour=Red&in_stock=true").text)

    assert found["Blue"] == "1"
    assert found["S"] == "1"
    assert "M" not in found


def test_what_is_in_stock_is_counted_as_its_list_is(browser, shelf):
    """Of a size that is chosen: a shirt that is left in other sizes only does not count."""
    found = counts(browser.get("/search?o.Size=M").text)
    listed = names(browser.get("/search?o.Size=M&in_stock=true").text)

    assert found["In stock"] == "1"
    assert listed == ["Plain Tee"]


def test_choices_are_counted_for_words_with_a_slip_of_the_keyboard(browser, shelf):
    response = browser.get("/search?q=linnen+shrt").text

    assert names(response) in (["Linen Shirt"], [])  # SQLite does not guess
    assert counts(response).get("In stock") == ("1" if names(response) else None)


@pytest.mark.parametrize("word", ["a\u00a0b", "\u3000".join("ab"), "\U0001f468\u200d\U0001f469"])
def test_any_value_of_an_option_can_be_chosen(app, browser, word):
    with app.app_context():
        shelf = factories.category(slug="shelf").id
        options = [{"options": {"Kind": word}}]
        factories.product_with_variants(options, name="Odd", slug="odd", category_id=shelf)
        factories.product(name="Even", category_id=shelf)

    html = browser.get("/categories/shelf").text

    assert names(browser.get(leads(html, word)).text) == ["Odd"]


@pytest.mark.parametrize("spelling", ["true", "1", "on"])
def test_what_is_in_stock_can_be_taken_back_however_it_is_spelt(browser, shelf, spelling):
    html = browser.get(f"/search?in_stock={spelling}").text

    assert len(names(html)) == 3
    assert set(re.findall(r'href="([^"]*)"[^>]*>\s*(?:<span[^>]*>Remove )?(?:</span>|<span>)In stock',
                          html)) == {"/search"}  # fmt: skip


def test_the_last_page_that_lists_reach_is_not_the_first_one():
    assert Page([], 1, PER_PAGE, MAX_DEPTH).pages == LAST_PAGE


@pytest.mark.parametrize(
    ("locale", "typed", "meant"),
    [("de_DE", "12,50", 1250), ("de_DE", "12.50", 1250), ("de_DE", "1.000,5", 100_050),
     ("de_DE", "1.500", 150_000), ("de_DE", "1.500,00", 150_000), ("de_DE", "1 299,00", 129_900),
     ("fr_FR", "1 299,00", 129_900), ("fr_FR", "1\u202f299", 129_900), ("de_CH", "1'299.50", 129_950),
     ("en_US", "1.500", None), ("de_DE", "12.5000", None), ("de_DE", "1 29,00", None),
     ("de_DE", "12,505", None), ("en_US", "1,000", 100_000), ("en_US", "12,50", None),
     ("fr_FR", "x", None), ("en_US", "1e3", None), ("en_US", "NaN", None), ("en_US", "-1", None)],
)  # fmt: skip
def test_prices_are_read_as_the_stores_locale_writes_them(app, monkeypatch, locale, typed, meant):
    monkeypatch.setitem(app.config, "STORE_LOCALE", locale)
    with app.test_request_context():
        listing = read_listing("/search", MultiDict({"min_price": typed}))

        assert listing.query.min_price == meant
        assert bool(listing.pairs) == bool(meant)
        again = read_listing("/search", MultiDict(listing.pairs))
        assert again.query.min_price == meant
        assert again.pairs == listing.pairs


def test_the_links_of_choices_keep_all_others(browser, shelf):
    html = browser.get("/search?q=&sort=price&page=2&o.Size=M").text

    address = urlsplit(leads(html, "Red"))
    assert address.path == "/search"
    assert parse_qsl(address.query) == [("sort", "price"), ("o.Size", "M"), ("o.Colour", "Red")]


def test_every_choice_can_be_taken_back(browser, shelf):
    html = browser.get("/search?q=shirt&min_price=1&in_stock=true&o.Size=S").text

    assert leads(html, "Size: S") == "/search?q=shirt&min_price=1&in_stock=true"
    assert leads(html, "In stock") == "/search?q=shirt&min_price=1&o.Size=S"
    assert leads(html, "From \\$1.00") == "/search?q=shirt&in_stock=true&o.Size=S"
    assert leads(html, "Clear all") == "/search?q=shirt"


def test_long_lists_have_pages(app, browser):
    with app.app_context():
        for number in range(30):
            factories.product(name=f"Spoon {number:02}")

    first = browser.get("/search?sort=name").text
    second = browser.get(leads(first, "Next")).text

    assert names(first)[0] == "Spoon 00"
    assert names(second) == [f"Spoon {number}" for number in range(24, 30)]
    assert leads(second, "← Previous") == "/search?sort=name"
    assert "Nothing here" in browser.get("/search?page=9").text


def test_a_list_costs_the_same_few_statements_at_any_length(app, browser):
    costs = []
    for place in range(2):
        with app.app_context():
            shelf = factories.category(slug=f"shelf-{place}").id
            options = [{"options": {"Size": size}} for size in ("S", "M")]
            for _ in range(4 + 20 * place):
                factories.product_with_variants(options, category_id=shelf)
            empty_cache()
        with counted(app) as run:
            assert browser.get(f"/categories/shelf-{place}?o.Size=S").status_code == 200
        costs.append(len(run))

    assert costs[0] == costs[1] <= 14


# --- money ---


@pytest.mark.parametrize("locale", ["en_US", "de_DE", "ja_JP"])
def test_money_is_written_with_the_places_of_its_currency(app, monkeypatch, locale):
    """The locales' own data would show 199.99 RSD as 200."""
    monkeypatch.setitem(app.config, "STORE_LOCALE", locale)
    for currency in ("USD", "EUR", "JPY", "KWD", "RSD", "IQD", "MGA", "CLF"):
        monkeypatch.setitem(app.config, "STORE_CURRENCY", currency)
        with app.app_context():
            assert re.sub("[^0-9]", "", money(1_234_567)) == "1234567"


def test_money_is_written_as_the_locale_has_it(app, monkeypatch):
    written = []
    for locale, currency in (("en_US", "USD"), ("de_DE", "EUR"), ("en_US", "JPY")):
        monkeypatch.setitem(app.config, "STORE_LOCALE", locale)
        monkeypatch.setitem(app.config, "STORE_CURRENCY", currency)
        with app.app_context():
            written += [money(490_000), money(-5)]

    assert written == [
        "$4,900.00", "-$0.05", "4.900,00\xa0€", "-0,05\xa0€", "¥490,000", "-¥5",
    ]  # fmt: skip


# --- one product ---


def test_a_product_shows_each_variant_with_price_and_stock(browser, shelf):
    html = browser.get("/products/linen-shirt").text

    choices = re.findall(r"<label>\s*<input type=\"radio\"([^>]*)>(.*?)</label>", html, re.S)
    (first, first_text), (second, second_text) = choices
    assert "checked" in first
    assert "disabled" in second
    assert re.sub(r"<[^>]*>|\s+", " ", first_text).split() == [
        "S",
        "·",
        "Red",
        "$20.00",
        "Only",
        "3",
        "left",
    ]
    assert "Sold out" in second_text
    assert "<p>Cool.</p>" in html
    assert "<p>Washed.</p>" in html


def test_a_simple_product_has_nothing_to_choose(browser, shelf):
    html = browser.get("/products/ash-lamp").text

    assert "radio" not in html
    assert "10 in stock" in html


def test_what_comes_in_one_size_only_says_which(browser, shelf):
    assert "M · Blue" in browser.get("/products/plain-tee").text


def test_what_is_sold_out_cannot_be_put_into_the_cart(browser, shelf):
    html = browser.get("/products/day-bag").text

    assert "Sold out at present." in html
    assert "/cart/items" not in html


def test_a_products_page_shows_what_was_just_written(browser, shelf, admin):
    browser.get("/products/ash-lamp")

    admin.patch("/api/products/ash-lamp", json={"price": "9.99"})

    assert "$9.99" in browser.get("/products/ash-lamp").text


def test_names_and_descriptions_are_written_as_text(app, browser):
    with app.app_context():
        factories.product(name="<b>Bold</b>", slug="bold", description="</script><script>alert(1)")

    html = browser.get("/products/bold").text

    assert "<b>Bold" not in html
    assert "<script>alert" not in html


# --- what search engines read ---


def test_a_product_describes_itself_to_search_engines(browser, shelf):
    html = browser.get("/products/linen-shirt?tag=x").text

    head = html.partition("</head>")[0]
    assert "<title>Linen Shirt · ShopSwift</title>" in head
    assert '<link rel="canonical" href="http://localhost/products/linen-shirt">' in head
    assert '<meta property="og:image" content="http://localhost/pictures/linen-shirt.svg">' in head
    found = [json.loads(text) for text in re.findall(r"ld\+json\">(.*?)</script>", head)]
    crumbs, product = found
    assert [step["name"] for step in crumbs["itemListElement"]] == [
        "ShopSwift", "Clothes", "Shirts", "Linen Shirt",
    ]  # fmt: skip
    canonical = re.findall(
        'rel="canonical" href="([^"]*)"', browser.get("/products/linen-shirt/").text
    )
    assert canonical == ["http://localhost/products/linen-shirt"]
    assert product["offers"][0]["price"] == "20.00"
    assert [offer["availability"].rpartition("/")[2] for offer in product["offers"]] == [
        "InStock", "OutOfStock",
    ]  # fmt: skip


def test_only_plain_lists_are_to_be_found(browser, shelf):
    assert "noindex" not in browser.get("/categories/clothes").text
    assert "noindex" in browser.get("/categories/clothes?o.Size=M").text
    assert "noindex" in browser.get("/categories/clothes?page=9").text
    assert "noindex" in browser.get("/search").text


def test_a_product_without_a_description_is_described_by_its_name(browser, shelf):
    html = browser.get("/products/day-bag").text
    described = [json.loads(text) for text in re.findall(r"ld\+json\">(.*?)</script>", html)]

    assert described[-1]["description"] == "Day Bag"


def test_the_sitemap_names_what_is_on_offer(app, browser, shelf):
    with app.app_context():
        factories.product(slug="hidden", is_active=False)

    index = browser.get("/sitemap.xml")
    parts = re.findall("<loc>http://localhost([^<]*)</loc>", index.text)
    responses = [browser.get(part) for part in parts]

    assert {response.mimetype for response in (index, *responses)} == {"application/xml"}
    text = "".join(response.text for response in responses)
    found = re.findall("<loc>http://localhost([^<]*)</loc>", text)
    assert found[0] == "/"
    assert "/products/linen-shirt" in found
    assert "/categories/shirts" in found
    assert "/products/hidden" not in found


def test_robots_are_kept_out_of_carts_and_accounts(browser):
    text = browser.get("/robots.txt").text

    assert "Disallow: /cart\n" in text
    assert "Sitemap: http://localhost/sitemap.xml\n" in text


# --- pictures, files, the wire ---


def test_a_product_without_a_picture_gets_the_same_drawing_every_time(browser):
    first, again, other = (browser.get(f"/pictures/{slug}.svg") for slug in ("mug", "mug", "cup"))

    assert first.mimetype == "image/svg+xml"
    assert first.data == again.data != other.data
    assert "max-age" in first.headers["Cache-Control"]
    assert len(first.data) < 3000


def test_a_product_with_pictures_shows_them_in_widths_to_choose_from(app, browser):
    picture = {"id": "0" * 32, "alt": "A red mug", "width": 800, "height": 600}
    with app.app_context():
        factories.product(name="Mug", slug="mug", images=[picture])

    html = browser.get("/products/mug").text
    card = browser.get("/search").text
    browser.get("/products/mug")
    browser.send("/cart/items", quantity="1")
    cart = browser.get("/cart").text

    assert re.search(r'<img src="/media/0{32}-1280.webp" alt="A red mug" width="800"', html)
    assert "-320.webp 320w, " in html
    assert 'og:image" content="http://localhost/media/' in html
    assert re.search(r'<img src="[^"]*" alt=""[^>]*loading="lazy"', card)
    assert '<img src="/media/' in cart


@pytest.mark.parametrize("name", ["12", "A", "a b", "..%2F", "a" * 200])
def test_only_slugs_have_drawings(browser, name):
    assert browser.get(f"/pictures/{name}.svg").status_code == 404


def test_every_drawing_is_well_formed(app):
    from xml.etree import ElementTree

    from app.pages.pictures import picture

    for number in range(200):
        ElementTree.fromstring(picture(f"product-{number}"))  # noqa: S314 - our own


def test_pages_carry_no_script_and_no_style_inside_them(browser, shelf):
    for path in ("/", "/search", "/categories/clothes", "/products/linen-shirt", "/login"):
        html = browser.get(path).text
        inside = r"<style|\sstyle=|<script(?! type=\"application/ld| src=\"/static/)|\son\w+="
        assert not re.search(inside, html), path


def test_pages_ask_no_other_host(browser, shelf):
    html = browser.get("/products/linen-shirt").text

    asked = re.findall(
        r'(?:src|srcset)="([^"]+)"|<link rel="(?:icon|stylesheet)" href="([^"]+)"', html
    )
    assert asked
    assert all("".join(pair).startswith("/") for pair in asked)


def test_files_are_kept_for_good_under_the_name_of_their_content(browser):
    (address,) = re.findall(r'href="(/static/shop.css[^"]*)"', browser.get("/").text)

    versioned = browser.get(address, buffered=True)
    plain = browser.get("/static/shop.css", buffered=True)

    assert "immutable" in versioned.headers["Cache-Control"]
    assert "immutable" not in plain.headers["Cache-Control"]


def test_text_is_sent_compressed_to_those_who_take_it(browser, shelf):
    plain = browser.get("/search")
    packed = browser.get("/search", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert names(gzip.decompress(packed.data).decode()) == names(plain.text)


def test_a_compressed_file_that_the_browser_has_is_not_sent_again(browser):
    headers = {"Accept-Encoding": "gzip"}
    tag = browser.get("/static/shop.css", headers=headers, buffered=True).headers["ETag"]

    seen = {**headers, "If-None-Match": tag}
    again = browser.get("/static/shop.css", headers=seen, buffered=True)

    assert tag.startswith("W/")
    assert again.status_code == 304


def test_a_page_of_24_products_weighs_little(app, browser):
    with app.app_context():
        shelf = factories.category(slug="shelf").id
        for number in range(24):
            factories.product(name=f"A thing of number {number}", category_id=shelf)
    headers = {"Accept-Encoding": "gzip"}
    page = browser.get("/categories/shelf", headers=headers)

    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', gzip.decompress(page.data).decode())
    weights = [len(browser.get(path, headers=headers, buffered=True).data) for path in files]

    assert len(files) + 1 <= 8
    assert len(page.data) + sum(weights) <= 60_000


def test_sizes_are_listed_from_small_to_large(app, browser):
    with app.app_context():
        top = factories.category(name="Tops", slug="tops")
        for sizes in (["XL", "L", "M"], ["S", "M", "L"], ["L"]):
            factories.product_with_variants(
                [{"options": {"Size": size}} for size in reversed(sizes)],
                slug=f"top-{sizes[0].lower()}", category_id=top.id,
                options=[{"name": "Size", "values": sizes}],
            )  # fmt: skip

    choices = browser.get("/categories/tops").text.partition("<h2>Size</h2>")[2]
    product = browser.get("/products/top-xl").text

    assert list(counts(choices.partition("</ul>")[0])) == ["S", "M", "L", "XL"]
    assert re.findall(r"<span>(XL|L|M)</span>", product) == ["XL", "L", "M"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/categories/shirts", 200), ("/products/linen-shirt", 200), ("/search?q=tee", 200),
     ("/cart", 200), ("/login", 200), ("/register", 200), ("/account", 303), ("/nothing", 404)],
)  # fmt: skip
def test_no_cache_keeps_a_page(browser, shelf, path, status):
    response = browser.get(path)

    assert (response.status_code, response.headers["Cache-Control"]) == (status, "no-store")


def test_money_is_written_as_the_store_writes_it(app, environ, shelf):
    german = create_app(Testing({**environ, "STORE_LOCALE": "de-DE"}))

    html = Browser(german).get("/products/ash-lamp").text

    assert "120,00\u00a0$" in html


def test_two_categories_of_one_name_are_told_apart_by_their_address(app, browser):
    with app.app_context():
        factories.category(name="Home", slug="home")
        factories.category(name="Home", slug="home-2")

    html = browser.get("/").text

    assert {"/categories/home", "/categories/home-2"} <= set(links(html))
