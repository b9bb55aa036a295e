"""An export takes no more memory for a large catalogue than for a small one."""

import tracemalloc
from collections import deque

import pytest

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.extensions import db
from app.services.imports import export_service
from app.services.seeding import seed_service

pytestmark = pytest.mark.slow

AT_ONCE = 400
"""Rows; enough that they weigh more than all else that an export holds."""


def fill(products: int) -> None:
    in_transaction(lambda: seed_service.add_products(products, "USD", 1, utc_now()))
    db.session.remove()


def peak_of_an_export() -> int:
    """Bytes, while rows are read and let go of."""
    tracemalloc.start()
    deque(export_service.product_rows("USD"), maxlen=0)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    db.session.remove()
    return peak


def test_an_export_holds_a_few_thousand_rows_at_a_time(app, monkeypatch):
    assert export_service.AT_ONCE <= 5000
    monkeypatch.setattr(export_service, "AT_ONCE", AT_ONCE)
    with app.app_context():
        fill(3 * AT_ONCE)
        peak_of_an_export()  # what is made once
        small = peak_of_an_export()
        fill(9 * AT_ONCE)

        assert peak_of_an_export() < 1.2 * small
