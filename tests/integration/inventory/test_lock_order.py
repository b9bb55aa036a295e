"""Orders that move the same variant at once wait for each other, and never in a circle."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from app.db import unit_of_work
from app.db.unit_of_work import in_transaction
from app.domain.people.actor import SYSTEM
from app.extensions import db
from app.models import Variant
from app.services import order_service
from app.services.order_service import Visitor
from tests import factories
from tests.integration.conftest import Caller
from tests.integration.people import inside, only_row
from tests.integration.shopping import fill, guest_order
from tests.servers import PATIENCE

pytestmark = [pytest.mark.only_on("postgresql"), pytest.mark.thorough]
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def wait_for(connection, waiting):
    for _ in range(500):
        if connection.execute(text(WAITING)).scalar() == waiting:
            return
        time.sleep(0.02)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize("second", ["cancel", "ship", "place"])
def test_two_that_wait_for_a_third_do_not_deadlock(app, monkeypatch, second):
    """A fourth holds the version of the variant that was current when the two began, as an order that
    is being placed does for its foreign keys."""
    monkeypatch.setattr(unit_of_work, "ATTEMPTS", 1)  # a deadlock is not tried again
    mug = inside(app, factories.product, stock=10)
    orders = [guest_order(Caller(app), mug)["number"] for _ in range(2)]
    inside(app, in_transaction, lambda: order_service.change_status(
        Visitor(SYSTEM), orders[1], "processing"
    ))  # fmt: skip
    buyer = Caller(app)
    fill(buyer, mug)

    def move(number, target):
        visitor = Visitor(SYSTEM)
        inside(app, in_transaction, lambda: order_service.change_status(visitor, number, target))
        return 200

    seconds = {
        "cancel": lambda: move(orders[1], "cancelled"),
        "ship": lambda: move(orders[1], "shipped"),
        "place": lambda: buyer.post("/api/orders", json={"email": "b@example.com"}).status_code,
    }
    with app.app_context():
        engine = db.engine
    with engine.connect() as holder, engine.connect() as writer, ThreadPoolExecutor(2) as threads:
        holder.execute(text("SELECT id FROM variants FOR KEY SHARE"))
        writer.execute(text("UPDATE variants SET position = position"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as observer:
            first = threads.submit(move, orders[0], "cancelled")
            wait_for(observer, 1)
            other = threads.submit(seconds[second])
            wait_for(observer, 2)
        writer.commit()
        answers = [first.result(PATIENCE), other.result(PATIENCE)]
        holder.rollback()

    assert answers == [200, 201 if second == "place" else 200]
    figures = only_row(app, Variant)
    expected = {"cancel": (10, 0), "ship": (9, 0), "place": (10, 2)}[second]
    assert (figures.on_hand, figures.allocated) == expected
