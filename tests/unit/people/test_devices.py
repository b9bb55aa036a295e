"""Device tokens: each proves one account and one version of its password, and a device keeps five."""

import hashlib
import hmac
import re

import pytest

from app.domain.people.devices import add_token, find_token, new_token, tokens_of


def signer(*keys: bytes):
    return lambda text: [hmac.new(key, text.encode(), hashlib.sha256).digest() for key in keys]


SIGN = signer(b"present", b"former")


def test_a_token_is_found_by_its_account_and_its_version_of_the_password():
    others = [new_token(SIGN, user, 1) for user in (6, 8)]
    token = new_token(SIGN, 7, 1)
    value = "~".join([others[0], token, others[1]])

    assert find_token(value, SIGN, 7, 1) == token
    assert find_token(value, SIGN, 7, 2) is None
    assert find_token(value, SIGN, 9, 1) is None
    assert find_token("", SIGN, 7, 1) is None


def test_a_token_names_nobody_and_is_another_one_each_time():
    first, second = new_token(SIGN, 7, 1), new_token(SIGN, 7, 1)

    assert re.fullmatch(r"[\w-]{22}\.[\w-]{43}", first)
    assert first != second


def test_a_token_is_signed_with_the_present_key_and_found_under_the_former():
    token = new_token(SIGN, 7, 1)

    assert find_token(token, signer(b"next", b"present"), 7, 1) == token
    assert find_token(token, signer(b"former", b"next"), 7, 1) is None


@pytest.mark.parametrize("change", [str.upper, lambda t: t[:-1], lambda t: t + "A", lambda t: t.replace(".", "-")])  # fmt: skip
def test_a_token_that_was_changed_is_none(change):
    assert find_token(change(new_token(SIGN, 7, 1)), SIGN, 7, 1) is None


def test_a_device_keeps_its_newest_five_tokens():
    value = ""
    tokens = [new_token(SIGN, user, 1) for user in range(6)]
    for token in tokens:
        value = add_token(value, token)

    assert tokens_of(value) == tokens[:0:-1]


def test_a_token_takes_the_place_of_the_one_that_it_replaces():
    old, other, token = (new_token(SIGN, 7, version) for version in (1, 2, 3))

    assert tokens_of(add_token(f"{old}~{other}", token, old)) == [token, other]
    assert tokens_of(add_token(f"{other}~{token}", token)) == [token, other]
    assert tokens_of(add_token(f"{other}~nonsense", token)) == [token, other]


def test_no_more_is_read_than_five_tokens_take():
    five = "~".join(new_token(SIGN, user, 1) for user in range(5))

    assert len(tokens_of(f"{five}~")) == 5
    assert tokens_of(f"{five}~~") == []
