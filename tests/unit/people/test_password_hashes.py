"""Hashes of passwords: what they cost, and one that nothing matches."""

import bcrypt
import pytest

from app.domain.people.passwords import cost_of, is_common, unmatchable_hash

HASH = "$2b$12$" + "./Az09" * 8 + "abcde"


def test_the_cost_is_read_from_the_hash():
    assert len(HASH) == 60
    assert cost_of(HASH) == 12
    assert cost_of(HASH.replace("$12$", "$04$")) == 4
    assert cost_of(bcrypt.hashpw(b"a password", bcrypt.gensalt(4)).decode()) == 4


@pytest.mark.parametrize(
    "text", ["", "!", HASH[:-1], f"{HASH}a", HASH.replace("$2b", "$2c"), f"x{HASH}"]
)
def test_other_texts_have_no_cost(text):
    assert cost_of(text) is None


def test_a_hash_that_nothing_matches_has_its_cost():
    assert [cost_of(unmatchable_hash(cost)) for cost in (4, 12)] == [4, 12]
    assert not bcrypt.checkpw(b"a password", unmatchable_hash(4).encode())


def test_what_is_too_long_for_a_password_is_not_a_common_one():
    assert is_common("x" * 10_000) is False
    assert is_common(" PassWord ") is True
