"""Email addresses: what is one, and when two are the same."""

import unicodedata
from functools import partial

import idna
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.countries import COUNTRIES, is_country
from app.domain.people.emails import NotAnEmail, clean, former_key, key


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


@pytest.mark.parametrize(
    "text",
    [
        "\ufdfa" * 14 + "@example.com",  # a ligature of eighteen letters
        "ß" * 60 + "@" + ".".join(["a" * 50] * 3) + ".com",  # compared as ss
    ],
)
def test_an_address_that_grows_too_long_when_folded_is_refused(text):
    with pytest.raises(NotAnEmail, match=r"too long|At most"):
        clean(text)


@pytest.mark.parametrize(
    "text",
    ["ann\ufe0f@example.com", "an\u034fn@example.com", "ann\u3164@example.com", "ann\u115f@example.com",
     "ann\uffa0@example.com", "ann\U000e0101@example.com", "ann\u200b@example.com", "ann\u202e@example.com",
     "a\u00adnn@example.com", "ann@exa\u200bmple.com", "ann@ex\ufe0fample.com", "ann@example.com.",
     "\uff0eann@example.com", "x\uff20y@example.com", "a\u037eb@example.com"],
)  # fmt: skip
def test_an_address_that_only_looks_like_another_is_refused(text):
    with pytest.raises(NotAnEmail):
        clean(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.com", "aNN@exAMPle.COM"),
        ("STRAẞE@example.com", "straße@example.com"),
        ("x@STRAẞE.de", "x@straße.de"),
        ("ΝΊΚΟΣ@example.com", "νίκος@example.com"),
        ("jose\u0301@example.com", "JOSÉ@example.com"),
        ("x@xn--mller-kva.de", "X@MÜLLER.DE"),
        ("no address", "NO ADDRESS "),
        ("ａｎｎ@example.com", "ann@example.com"),
        ("ann＠ｅｘａｍｐｌｅ．ｃｏｍ", "ann@example.com"),
        ("ann@example。com", "ann@example.com"),
        ("Ⓐnn@ⓔxample.com", "ann@example.com"),
        ("\u212aelvin@example.com", "kelvin@example.com"),
        ("\u017fam@example.com", "sam@example.com"),
        ("adm\u0131n@example.com", "ADMIN@example.com"),
        ("\u0130an@example.com", "ian@example.com"),
        ("ann\u2024lee@example.com", "ann.lee@example.com"),
    ],
)
def test_addresses_that_differ_in_case_or_form_only_are_the_same(one, other):
    assert key(one) == key(other)


@pytest.mark.parametrize(
    "other", ["anne@example.com", "ann@example.org", "ann+shop@example.com", "a.nn@example.com", "ànn@example.com"]
)  # fmt: skip
def test_different_addresses_differ(other):
    assert key("ann@example.com") != key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann@straße.example", "ann@strasse.example"),
        ("ann@xn--strae-oqa.example", "ann@strasse.example"),
        ("straße@example.com", "strasse@example.com"),
        ("ann@οδός.gr", "ann@οδόσ.gr"),
    ],
)
def test_letters_that_are_two_in_capitals_are_other_mailboxes(one, other):
    assert key(one) != key(other)
    assert former_key(one) == former_key(other)


def test_a_domain_with_a_dotless_i_is_another_domain():
    assert key("info@f\u0131r\u0131n.example") != key("info@firin.example")


def test_text_that_is_costly_to_normalize_is_no_address_and_its_own_key():
    hostile = "a" + "\u0301" * 15_000 + "\u0323" * 15_000 + "@example.com"

    with pytest.raises(NotAnEmail, match="At most 254"):
        clean(hostile)
    assert key(hostile) == hostile


LETTERS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
DOMAINS = st.sampled_from(["example.com", "müller.de", "straße.de", "παράδειγμα.gr", "例え.jp"])
ADDRESSES = st.builds("{}@{}".format, LETTERS, DOMAINS)
CASES = [str.upper, str.title, str.casefold]
SPELLINGS = [str.upper, str.lower, str.title, str.swapcase, str.casefold] + [
    partial(unicodedata.normalize, form) for form in ("NFC", "NFD", "NFKC", "NFKD")
]


def cleaned(text):
    """The address, or None."""
    try:
        return clean(text)
    except NotAnEmail:
        return None


@given(ADDRESSES, st.sampled_from(SPELLINGS), st.sampled_from(SPELLINGS))
def test_no_spelling_of_an_address_makes_a_second_account(text, spelling, another):
    variant = another(spelling(text))
    assume(cleaned(text) and cleaned(variant))
    # Letters that are several ones in the other case make another address.
    assume(all(len(form(char)) == 1 for char in cleaned(text) for form in CASES))
    # So do letters of a domain that share a capital with another one: ς and σ, ı and i (IDNA 2008).
    domain = cleaned(text).rpartition("@")[2]
    assume(all(char.upper().lower() == char for char in domain))

    assert key(variant) == key(text)


@given(ADDRESSES)
def test_an_address_in_its_usual_spelling_stays_as_it_is(text):
    usual = cleaned(text)
    assume(usual)

    assert clean(usual) == usual
    assert key(usual) == key(text) == key(key(text))


@given(DOMAINS, LETTERS)
def test_a_domain_is_the_same_in_its_own_letters_and_in_those_of_the_wire(domain, local):
    text, wire = f"{local}@{domain}", f"{local}@{idna.encode(domain).decode()}"
    assume(cleaned(text))

    assert clean(wire) == clean(text)


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
