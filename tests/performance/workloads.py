"""What is measured: the shop's work, and the limits made for the same work."""

from random import Random

import psycopg2

from tests.performance import reads
from tests.performance.measure import Workload
from tests.performance.setting import Setting

NEWEST = "SELECT id, slug FROM products WHERE deleted_at IS NULL AND is_active ORDER BY created_at DESC, id"


def workloads(setting: Setting) -> list[Workload]:
    """All of them; what is compared stands side by side."""
    dice = Random(1)
    products = _rows(setting, NEWEST)
    newest = [id_ for id_, _slug in products[:20]]
    dice.shuffle(products)
    details = {
        prefix: reads.popular([(f"{prefix}/{slug}", id_) for id_, slug in products], dice)
        for prefix in ("/api/products", "/products")
    }
    listing = reads.page("/api/products?page=1&per_page=20", newest)
    return [
        Workload("hello", "hello", reads.hello()),
        Workload("list", "shop", listing),
        Workload("list_uncached", "uncached", listing),
        Workload("list_twin", "twins", reads.page("/products", newest)),
        Workload("detail", "shop", details["/api/products"]),
        Workload("detail_uncached", "uncached", details["/api/products"]),
        Workload("detail_twin", "twins", details["/products"]),
    ]


def _rows(setting: Setting, query: str) -> list[tuple[int, str]]:
    connection = psycopg2.connect(setting.database_url)
    try:
        cursor = connection.cursor()
        cursor.execute(query)
        return list(cursor.fetchall())
    finally:
        connection.close()
