"""A disk that is full: a clear 503 to who writes, no half order, and on it goes afterwards."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.reliability.outages import Shop, shop_under_fire
from tests.reliability.setting import Setting

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(resource, "prlimit"), reason="Only Linux lets one process limit another."
    ),
]
PAGE = 4096


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A shop on SQLite in one process."""
    with shop_under_fire("sqlite", workers=1) as opened:
        yield opened


@contextmanager
def disk_with_room_for(size: int, setting: Setting) -> Iterator[None]:
    """The log of the database can grow by `size` bytes and no more, as on a disk that gets full."""
    (worker,) = setting.workers()
    soft, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    log = Path(setting.database_url.removeprefix("sqlite:///") + "-wal")
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (log.stat().st_size + size, hard))
    try:
        yield
    finally:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_503_to_who_writes_and_nothing_to_who_reads(shop):
    shopper = shop.shopper()
    with disk_with_room_for(0, shop.setting):
        read = shopper.send("GET", "/api/products")
        refused = shopper.send("POST", "/api/cart/items", {"variant_id": shop.variant_id})

    assert (read.status_code, refused.status_code) == (200, 503)
    assert refused.json()["code"] == "unavailable"
    assert int(refused.headers["Retry-After"]) > 0


def test_wherever_the_disk_gets_full_an_order_is_whole_or_not_there(shop):
    shopper = shop.shopper()
    figures = shop.seen[-1]
    for pages in range(0, 40, 4):
        ordering = shopper.fill_cart()
        with disk_with_room_for(pages * PAGE + 100, shop.setting):
            shopper.order_once(*ordering)

        shopper.order(*ordering)

    assert figures.unkind() == []
    assert (figures.statuses[503] > 0, len(figures.orders)) == (True, 10)
    assert shop.orders() == shop.acknowledged()
