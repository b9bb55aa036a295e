"""The same work without a shop's comfort: Flask, psycopg2 and the least SQL that does it."""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
import psycopg2
from flask import Flask, Response
from psycopg2.extras import RealDictCursor

app = Flask(__name__)
# A connection a thread is the cheapest pool there is: nobody waits, nothing is handed over.
local = threading.local()

PRODUCTS = """
    SELECT p.id, p.name, p.slug, p.description, p.price, p.compare_at_price, p.is_active, p.version,
           p.images, p.options, p.created_at, p.updated_at,
           c.id AS category_id, c.name AS category_name, c.slug AS category_slug
    FROM products p LEFT JOIN categories c ON c.id = p.category_id
    WHERE p.deleted_at IS NULL AND p.is_active
"""
VARIANTS = """
    SELECT product_id, id, sku, options, price, on_hand - allocated AS stock, is_active
    FROM variants WHERE product_id = ANY(%s) AND deleted_at IS NULL AND is_active
    ORDER BY position, id
"""
COUNT = "SELECT count(*) FROM products WHERE deleted_at IS NULL AND is_active"


@app.get("/healthz/ready")
def ready() -> Response:
    """It takes requests as soon as it listens."""
    return _json({"status": "ok"})


@app.get("/products")
def list_products() -> Response:
    """The newest twenty products, and how many there are."""
    with _transaction() as cursor:
        cursor.execute(PRODUCTS + " ORDER BY p.created_at DESC, p.id LIMIT 20")
        items = _show(cursor, cursor.fetchall())
        cursor.execute(COUNT)
        total = cursor.fetchone()["count"]
    return _json(
        {"items": items, "page": 1, "per_page": 20, "pages": -(-total // 20), "total": total}
    )


@app.get("/products/<slug>")
def get_product(slug: str) -> Response:
    """One product."""
    with _transaction() as cursor:
        cursor.execute(PRODUCTS + " AND p.slug = %s", (slug,))
        product = _show(cursor, cursor.fetchall())[0]
    return _json(product)


@contextmanager
def _transaction() -> Iterator[Any]:
    if not hasattr(local, "connection"):
        local.connection = psycopg2.connect(os.environ["DATABASE_URL"].replace("+psycopg2", ""))
    with local.connection, local.connection.cursor(cursor_factory=RealDictCursor) as cursor:
        yield cursor


def _show(cursor: Any, rows: list[Any]) -> list[dict[str, Any]]:
    cursor.execute(VARIANTS, ([row["id"] for row in rows],))
    variants = defaultdict(list)
    for row in cursor:
        variants[row.pop("product_id")].append(_variant(row))
    return [_product(row, variants[row["id"]]) for row in rows]


def _variant(row: Any) -> dict[str, Any]:
    return {**row, "price": _money(row["price"]), "in_stock": row["stock"] > 0}


def _product(row: Any, variants: list[dict[str, Any]]) -> dict[str, Any]:
    stock = sum(variant["stock"] for variant in variants)
    category = {name: row.pop(f"category_{name}") for name in ("id", "name", "slug")}
    before = row["compare_at_price"]
    return {
        **row,
        "category": category if category["id"] else None,
        "sku": variants[0]["sku"] if len(variants) == 1 else None,
        "price": _money(row["price"]),
        "currency": "USD",
        "compare_at_price": None if before is None else _money(before),
        "stock": stock,
        "in_stock": stock > 0,
        "variants": variants,
        "created_at": _time(row["created_at"]),
        "updated_at": _time(row["updated_at"]),
    }


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _json(view: Any) -> Response:
    return Response(orjson.dumps(view), mimetype="application/json")
