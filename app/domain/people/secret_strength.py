"""Whether a secret of the configuration is random enough to sign with.

A real check of randomness is impossible, so this refuses what people type, copy or pad instead of
generating: short values, one block over and over, few different characters, sequences, and values
that are published with the program. What `secrets.token_urlsafe`, `token_hex` and Base64 of random
bytes return passes.
"""

import math
from collections import Counter
from itertools import pairwise

MIN_BYTES = 32
"""The minimal length of a signing key: that of an HMAC-SHA256 digest (RFC 2104, section 3)."""
MIN_TOKEN_BYTES = 16
"""The minimal length of a token that is only compared."""
BITS_PER_BYTE = 1.75
"""How many bits of entropy (Shannon) a secret must have for each byte of its minimal length. In a text
of 16 random hexadecimal digits one measures 2.1 to 4 for each, in longer ones more."""
PUBLISHED = (
    "for-development-only", "tests-only", "only-for-a-benchmark", "change-me", "change_me", "changeme",
    "example", "placeholder", "password", "your-secret", "your_secret", "secret-key", "secret_key",
    "token_urlsafe", "another one", "random bytes",
)  # fmt: skip
"""Parts of values that documents, examples and tests contain, in lower case."""


def weakness(value: str, min_bytes: int = MIN_BYTES) -> str | None:
    """What is wrong with a secret, as the rest of a sentence that begins with its name; or None."""
    if len(value.encode()) < min_bytes:
        return f"is shorter than {min_bytes} bytes"
    if _is_published(value):
        return "is an example that everybody can read: generate one"
    if _repeats(value):
        return "repeats a short text: generate one"
    if entropy(value) < BITS_PER_BYTE * min_bytes:
        return "is easy to guess: generate one"
    return None


def entropy(value: str) -> float:
    """Bits of information in a text, by how often each character occurs (Shannon).

    A sequence such as `abcdef` has many characters but only one step between them, so the steps
    are measured as well and the smaller figure counts.
    """
    steps = [ord(after) - ord(before) for before, after in pairwise(value)]
    return len(value) * min(_bits_per_item(Counter(value)), _bits_per_item(Counter(steps)))


def _bits_per_item(counts: Counter[str] | Counter[int]) -> float:
    total = sum(counts.values())
    return -sum(n / total * math.log2(n / total) for n in counts.values())


def _is_published(value: str) -> bool:
    lower = value.lower()
    return lower.startswith("<") or any(part in lower for part in PUBLISHED)


def _repeats(value: str) -> bool:
    """Whether a block of at most half its length, over and over, makes the text."""
    # A text with the period p equals itself shifted by p characters; the last block may be cut.
    return any(value.startswith(value[p:]) for p in range(1, len(value) // 2 + 1))
