"""Email addresses: what is one, and when two are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.countries import COUNTRIES, is_country
from app.domain.emails import NotAnEmail, clean, key


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("ann@example.com", "ann@example.com"),
        ("Ann.Lee+shop@Example.COM", "Ann.Lee+shop@example.com"),
        ("o'hara@mail.example.org", "o'hara@mail.example.org"),
        ("someone@shop.test", "someone@shop.test"),
        ("someone@printer.local", "someone@printer.local"),
        ("jürgen@müller.de", "jürgen@müller.de"),
        ("x@xn--mller-kva.de", "x@müller.de"),
        ("δοκιμή@παράδειγμα.gr", "δοκιμή@παράδειγμα.gr"),
    ],
)
def test_addresses_come_in_their_usual_spelling(text, cleaned):
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    ["", "ann", "ann@", "@example.com", "ann@example", "ann@localhost", "a b@example.com", "a@b@example.com",
     "ann@example..com", "ann@-example.com", "ann.@example.com", "Ann <ann@example.com>", "a\0b@example.com",
     "a\nb@example.com", "ann@[127.0.0.1]", "a\ud800b@example.com", "a" * 65 + "@example.com",
     "ann@" + ".".join(["a" * 60] * 5) + ".com"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text):
    with pytest.raises(NotAnEmail):
        clean(text)


def test_an_address_that_grows_too_long_when_folded_is_refused():
    with pytest.raises(NotAnEmail, match="At most"):
        clean("\ufdfa" * 14 + "@example.com")  # a ligature of eighteen letters


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.com", "aNN@exAMPle.COM"),
        ("STRASSE@example.com", "straße@example.com"),
        ("jose\u0301@example.com", "JOSÉ@example.com"),
        ("x@xn--mller-kva.de", "X@MÜLLER.DE"),
        ("no address", "NO ADDRESS "),
    ],
)
def test_addresses_that_differ_in_case_or_form_only_are_the_same(one, other):
    assert key(one) == key(other)


def test_different_addresses_differ():
    assert key("ann@example.com") != key("anne@example.com")


@given(st.text(max_size=80))
def test_every_text_has_a_key(text):
    assert isinstance(key(text), str)


def test_countries_are_those_that_iso_has_assigned():
    assert len(COUNTRIES) == 249
    assert is_country("DE")
    assert is_country("US")
    assert not is_country("UK")
    assert not is_country("XX")
    assert not is_country("de")
