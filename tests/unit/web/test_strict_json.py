"""JSON in: what RFC 8259 leaves open is refused, what it allows is kept exact."""

import re
from decimal import Decimal

import pytest

from app.errors import Malformed
from app.web.strict_json import MAX_DEPTH, loads


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nope",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} x',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"-Infinity",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        rb'{"a": "\ud800"}',
        rb'{"\udfff": 1}',
        b"[" * 50_000 + b"]" * 50_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"9" * 5000,
        b"1e99999999999999999999",
        b'{"a": "a\nb"}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_no_strict_json_is_malformed(body):
    with pytest.raises(Malformed) as refusal:
        loads(body)

    assert refusal.value.code == "malformed_json"
    assert len(refusal.value.detail) < 200
    words_of_python = (
        "utf-8-sig|codec|decode|surrogates not|char |delimiter|Expecting|Extra data|Invalid"
    )
    assert not re.search(words_of_python, refusal.value.detail)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xef\xbb\xbf{}", "it begins with a byte order mark (RFC 8259, section 8.1)"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "not valid JSON at line 1, column 2"),
        (rb'{"a": "\ud800"}', "half of a surrogate pair stands alone"),
        (b'{"a": 1,\n}', "not valid JSON at line 2, column 1"),
        (b'{"a": 1, "a": 2}', "a name stands twice in one object"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_the_refusal_says_in_plain_words_what_is_wrong(body, reason):
    with pytest.raises(Malformed) as refusal:
        loads(body)

    assert refusal.value.detail == f"The body cannot be read as JSON: {reason}."


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b' {"a": [1, true, "x"]} ', {"a": [1, True, "x"]}),
        (b'{"price": 49.90}', {"price": Decimal("49.90")}),
        (b"1e999999999", Decimal("1e999999999")),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (rb'"\ud83d\ude00"', "😀"),
        ('"é"'.encode(), "é"),
        (rb'"\u0000"', "\x00"),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
        (b"[" + b"[]," * 1000 + b"[]]", [[]] * 1001),
    ],
    ids=lambda body: repr(body)[:24],
)
def test_what_is_json_arrives_exactly(body, value):
    assert value is None or loads(body) == value
    assert loads(body) is not Ellipsis


def test_many_small_objects_are_not_taken_for_deep_ones():
    assert len(loads(b'[{"a": {}}' + b', {"a": {}}' * 500 + b"]")) == 501
