"""Tokens and order numbers: unguessable, and known by their hashes."""

import re

import pytest

from app.domain.people.actor import ANONYMOUS, Actor
from app.domain.people.buyer import Buyer
from app.domain.people.tokens import (
    guest_order_token,
    hash_token,
    new_order_number,
    new_token,
    read_order_number,
)


def test_tokens_are_long_and_never_the_same():
    tokens = {new_token() for _ in range(100)}

    assert len(tokens) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_a_hash_is_sha_256_in_hex():
    assert hash_token("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("token", ["", "é", "\ud800", "x" * 10_000])
def test_whatever_is_sent_has_a_hash(token):
    assert len(hash_token(token)) == 64


def test_order_numbers_are_read_as_they_are_written():
    numbers = [new_order_number() for _ in range(200)]

    assert len(set(numbers)) == 200
    assert all(read_order_number(number) == number for number in numbers)
    assert all(read_order_number(number.lower()) == number for number in numbers)
    assert not any(number.isdigit() for number in numbers)


@pytest.mark.parametrize("text", ["", "12", "SW-", "SW-0000-0000-000", "SW-0000-0000-000I", "SW-0000-0000-0000\n", "ſW-0000-0000-0000"])  # fmt: skip
def test_other_texts_are_no_order_number(text):
    assert read_order_number(text) is None


def test_an_orders_token_hangs_on_cart_and_number():
    token = guest_order_token("cart", "SW-0000-0000-0000")

    assert token == guest_order_token("cart", "SW-0000-0000-0000")
    assert token != guest_order_token("cart", "SW-0000-0000-0001")
    assert token != guest_order_token("trac", "SW-0000-0000-0000")


def test_an_account_wins_over_a_token():
    buyer = Buyer(Actor("customer", user_id=7), "token")

    assert (buyer.user_id, buyer.guest_token, buyer.guest_token_hash) == (7, None, None)


def test_a_guest_is_known_by_the_tokens_hash_which_is_never_shown():
    buyer = Buyer(ANONYMOUS, "secret token")

    assert buyer.guest_token_hash == hash_token("secret token")
    assert "secret token" not in repr(buyer)
