"""Where people are sent next: always to a path of the shop, as a browser would read it."""

import re
from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.web.redirects import MAX_LENGTH, safe_target

SHOP = "https://shop.example/account/login"
EVIL = [
    "https://evil.example/", "HTTPS:evil.example", "https:/evil.example", "//evil.example",
    "///evil.example", "/\\evil.example", "\\/evil.example", "\\\\evil.example", "/\t/evil.example",
    "/\n/evil.example", "/\r\n/evil.example", "\t//evil.example", " //evil.example",
    "javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "evil.example", "@evil.example",
    "/%2F/evil.example", "/%2fevil.example", "/%5cevil.example", "/%5C%5Cevil.example",
    "/%09/evil.example", "/%0d%0aLocation:%20//evil.example", "/%252f/evil.example",
    "/%25252f%25252fevil.example", "/..//evil.example", "/.//evil.example", "/a//evil.example",
    "/\x00/evil.example", "/\x7f", "/\x85/evil.example", "/\udcff", "/cart?x=%0d%0aSet-Cookie:a=b",
    "/cart?a=\\", "?next=/", "#x", ".", "..", "", "/" + "a" * MAX_LENGTH,
]  # fmt: skip
INSIDE = [
    "/", "/cart", "/account/orders/ABC-123", "/search?q=tea+pot&page=2", "/search?q=a%2Fb",
    "/search?q=https://evil.example/", "/search?q=a%5Cb", "/p/tea-pot#reviews", "/?next=//x",
]  # fmt: skip
WORDS = ["/", "\\", ":", "@", "?", "#", ".", "%2f", "%5C", "%09", "%25", "%0a", "\t", "\n", " ",
         "http", "https", "javascript", "evil.example", "a", "ä", "／", "。", "\u2028"]  # fmt: skip


def host_and_scheme_in_a_browser(reference: str) -> tuple[str, str]:
    """Where a browser goes from SHOP: what WHATWG's URL parser does before it looks for a host."""
    text = re.sub("[\t\n\r]", "", reference.strip("".join(map(chr, range(33)))))
    before_query = re.split("[?#]", text, maxsplit=1)
    text = before_query[0].replace("\\", "/") + text[len(before_query[0]) :]
    if re.match("/{2,}", text):
        text = "//" + text.lstrip("/")
    parts = urlsplit(urljoin(SHOP, text))
    return parts.scheme, parts.netloc


@pytest.mark.parametrize("target", EVIL)
def test_what_leads_outside_is_replaced(target):
    assert safe_target(target, "/home") == "/home"


def test_nothing_given_leads_to_the_fallback():
    assert safe_target(None, "/home") == "/home"


@pytest.mark.parametrize("target", INSIDE)
def test_a_path_of_the_shop_is_kept_as_it_is(target):
    assert safe_target(target, "/home") == target


def test_letters_beyond_ascii_are_encoded():
    assert safe_target("/search?q=thé vert", "/home") == "/search?q=th%C3%A9%20vert"


@given(
    st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map(lambda words: "/" + "".join(words)))
)
@example("/%2\\f")
@example("/%%32%66/evil.example")
def test_a_browser_always_stays_in_the_shop(target):
    address = safe_target(target, "/home")

    assert host_and_scheme_in_a_browser(address) == ("https", "shop.example")
    assert re.fullmatch(r"/[!-\[\]-~]*", address)
    assert not address.startswith("//")
    assert safe_target(address, "/elsewhere") == address


@given(
    st.text(
        alphabet=st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="%"), max_size=99
    )
)
def test_a_search_of_any_words_survives_the_sign_in(words):
    target = f"/search?q={quote(words, safe='')}"

    assert safe_target(target, "/home") == target
