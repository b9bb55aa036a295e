"""Weak secrets are told from random ones; what generators return always passes."""

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.people.secret_strength import MIN_BYTES, MIN_TOKEN_BYTES, entropy, weakness

# Hypothesis looks for simple bytes, such as all zeros; a generator of secrets does not return those.
seeds = st.integers(min_value=0, max_value=2**64)
ENCODERS = {
    "token_urlsafe": lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode(),
    "token_hex": bytes.hex,
    "base64": lambda data: base64.b64encode(data).decode(),
    "base32": lambda data: base64.b32encode(data).decode(),
}


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
@given(seed=seeds, size=st.sampled_from([32, 48, 64]))
def test_what_generators_return_passes(encode, seed, size):
    assert weakness(encode(random.Random(seed).randbytes(size))) is None


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
@given(seed=seeds)
def test_the_shortest_token_that_is_taken_passes(encode, seed):
    token = encode(random.Random(seed).randbytes(16))

    assert weakness(token, MIN_TOKEN_BYTES) is None
    assert weakness(token[:MIN_TOKEN_BYTES], MIN_TOKEN_BYTES) is None


@given(
    block=st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=16)
)
def test_a_block_over_and_over_is_refused_also_when_its_last_one_is_cut(block):
    value = (block * MIN_BYTES)[: 2 * MIN_BYTES + len(block) // 2]

    assert weakness(value) is not None


@given(st.sampled_from("aZ0"), st.integers(1, 3), st.integers(MIN_BYTES, 64))
def test_a_sequence_is_refused(first, step, length):
    assert weakness("".join(chr(ord(first) + step * i) for i in range(length))) is not None


def test_entropy_is_measured_in_bits():
    assert entropy("a" * 32) == 0
    assert entropy("0110100110010110") == pytest.approx(16, abs=1)


RANDOM = "kC3v9_QmZr7xWb-E1tYuH4s8LdPf0JgN6aTzoVi2"


def test_the_shortest_signing_key_has_32_bytes_and_the_shortest_token_16():
    assert weakness(RANDOM[:32]) is None
    assert weakness(RANDOM[:31]) == "is shorter than 32 bytes"
    assert MIN_TOKEN_BYTES == 16
    assert weakness("é" * 4, 9) == "is shorter than 9 bytes"


@pytest.mark.parametrize(
    "part",
    [
        "for-development-only", "tests-only", "only-for-a-benchmark", "change-me", "change_me",
        "changeme", "example", "placeholder", "password", "your-secret", "your_secret",
        "secret-key", "secret_key", "token_urlsafe", "another one", "random bytes",
    ],
)  # fmt: skip
def test_a_value_that_documents_contain_is_refused(part):
    told = "is an example that everybody can read: generate one"

    assert weakness(RANDOM + part.upper()) == told
    assert weakness(f"<{RANDOM}") == told
    assert weakness(f"{RANDOM}<") is None


def test_a_block_is_refused_up_to_half_the_length():
    assert weakness(RANDOM[:16] * 2) == "repeats a short text: generate one"
    assert weakness(RANDOM[:17] + RANDOM[:16]) is None


def test_a_secret_needs_seven_quarters_of_a_bit_for_each_byte():
    exactly = "abacabdaabcaadba"
    assert entropy(exactly) == 28
    assert weakness(exactly, 16) is None
    few_letters = "abacaacbabcaacababbaacacaabcacab"
    assert 34 < entropy(few_letters) < 56
    assert weakness(few_letters) == "is easy to guess: generate one"
