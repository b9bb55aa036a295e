"""Cursors: they say where to go on, and nothing else is taken for one."""

import base64
import json
import string
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.db.paging import (
    MAX_DEPTH,
    Page,
    SortKey,
    decode_cursor,
    encode_cursor,
    refuse_too_deep,
)
from app.errors import Invalid
from app.models import Product

BY_PRICE = SortKey("price", Product.price, Product.id)
BY_PRICE_DOWN = SortKey("-price", Product.price, Product.id, descending=True)
BY_NAME = SortKey("name", Product.name_key, Product.id)
BY_AGE = SortKey("created_at", Product.created_at, Product.id)


def packed(content: object) -> str:
    """A cursor with any content at all."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("key", "row"),
    [
        (BY_PRICE, SimpleNamespace(price=4900, id=7)),
        (BY_NAME, SimpleNamespace(name_key="größe — 日本", id=2**62)),
        (
            BY_AGE,
            SimpleNamespace(created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, timezone.utc), id=1),
        ),
    ],
    ids=["whole number", "text", "time"],
)
def test_a_cursor_comes_back_as_it_went_out(key, row):
    cursor = encode_cursor(row, key)

    assert decode_cursor(cursor, key) == (getattr(row, key.column.key), row.id)
    assert set(cursor) <= set(string.ascii_letters + string.digits + "-_")


def test_a_cursor_is_bound_to_its_order():
    cursor = encode_cursor(SimpleNamespace(price=4900, id=7), BY_PRICE)

    with pytest.raises(Invalid):
        decode_cursor(cursor, BY_PRICE_DOWN)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!!",
        "é",
        "a b",
        "\x00",
        "=" * 10,
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        packed(1),
        packed(None),
        packed([]),
        packed(["price", 1]),
        packed(["price", 1, 2, 3]),
        packed(["price", "1", 2]),
        packed(["price", 1.5, 2]),
        packed(["price", True, 2]),
        packed(["price", 1, True]),
        packed(["price", 1, "2"]),
        packed(["price", 1, -1]),
        packed(["price", 1, 2**63]),
        packed(["price", 2**63, 1]),
        packed(["price", -(2**64), 1]),
        packed({"a": 1, "b": 2, "c": 3}),
        base64.urlsafe_b64encode(b"[" * 6000).decode().rstrip("="),
        base64.urlsafe_b64encode(b"9" * 6000).decode().rstrip("="),
        base64.urlsafe_b64encode(b'["price", NaN, 1]').decode().rstrip("="),
    ],
    ids=lambda cursor: cursor[:20].encode("unicode_escape").decode(),
)
def test_garbage_is_refused_in_one_way(cursor):
    with pytest.raises(Invalid) as refusal:
        decode_cursor(cursor, BY_PRICE)

    assert list(refusal.value.extra["errors"]) == ["cursor"]


@pytest.mark.parametrize("value", ["a\x00b", "x" * 1001, "\ud800", 5])
def test_a_text_that_no_database_takes_is_refused(value):
    with pytest.raises(Invalid):
        decode_cursor(packed(["name", value, 1]), BY_NAME)


@pytest.mark.parametrize("value", ["yesterday", "2026-01-02", "2026-01-02T03:04:05", "", 5])
def test_a_time_without_a_zone_or_sense_is_refused(value):
    with pytest.raises(Invalid):
        decode_cursor(packed(["created_at", value, 1]), BY_AGE)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_utc_cannot_say_is_refused(value):
    with pytest.raises(Invalid):
        decode_cursor(packed(["created_at", value, 1]), BY_AGE)


@given(st.text())
def test_no_text_makes_it_fail_otherwise(text):
    with pytest.raises(Invalid):
        decode_cursor(text + "x", BY_PRICE)


def test_pages_end_where_cursors_have_to_take_over():
    refuse_too_deep(MAX_DEPTH // 20, 20)

    with pytest.raises(Invalid) as refusal:
        refuse_too_deep(MAX_DEPTH // 20 + 1, 20)

    assert refusal.value.code == "use_cursor"


@pytest.mark.parametrize(("total", "pages"), [(0, 0), (1, 1), (20, 1), (21, 2), (10**6, 500)])
def test_as_many_pages_as_can_be_asked_for(total, pages):
    assert Page([], page=1, per_page=20, total=total).pages == pages
