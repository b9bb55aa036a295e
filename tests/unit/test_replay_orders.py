"""The replay's reconciliation: what differs is named."""

import importlib.util
from collections import Counter
from decimal import Decimal

import pytest

from app.config import ROOT

SCRIPT = ROOT / "scripts" / "replay_orders.py"


@pytest.fixture(scope="module")
def script():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("replay_orders", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def differences(script, **order):
    """What is wrong with an order for an invoice of two A at 2.55."""
    honest = {"note": "run 1", "total": "5.10", "items": [{"sku": "A", "quantity": 2}]}
    catalogue = {"A": script.Article(1, 1, Decimal("2.55"), 0)}
    return script.wrong_lines({**honest, **order}, Counter(A=2), catalogue)


def test_an_honest_order_has_no_differences(script):
    assert differences(script) == []


def test_a_penny_is_a_difference(script):
    assert differences(script, total="5.11") == ["run 1: 5.11 instead of 5.10"]


@pytest.mark.parametrize(
    "items",
    [[], [{"sku": "A", "quantity": 3}], [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}]],
)
def test_another_line_is_a_difference(script, items):
    assert differences(script, items=items) == ["run 1: the lines differ"]


def test_articles_that_the_shop_does_not_carry_are_left_out(script, tmp_path):
    path = tmp_path / "day.csv"
    path.write_text(
        "InvoiceNo,StockCode,Quantity\n1,A,2\n1,A,1\n1,POST,1\nC2,A,-4\n3,A,-9\n", encoding="utf-8"
    )

    day = script.read_day(path, {"A": script.Article(1, 1, Decimal(1), 0)})

    assert day.sold == {"1": Counter(A=3)}
    assert day.returned == {"C2": Counter(A=4)}
    assert day.left_out == 2
