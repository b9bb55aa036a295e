"""The same work without a shop's comfort: Flask, psycopg2 and the least SQL that does it.

They read and write the shop's own tables, and answer to reads what the shop answers, so that only
the way is another one. What makes a shop safe to use is left out: nothing is validated, and nobody
is told what is wrong.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from secrets import token_hex
from typing import Any

import orjson
import psycopg2
from flask import Flask, Response, request
from psycopg2.extras import Json, execute_values

app = Flask(__name__)
# A connection a thread is the cheapest pool there is: nobody waits, nothing is handed over.
local = threading.local()

PRODUCTS = """
    SELECT p.id, p.name, p.slug, p.description, p.price, p.compare_at_price, p.is_active, p.version,
           p.images, p.options, p.created_at, p.updated_at, c.id, c.name, c.slug
    FROM products p LEFT JOIN categories c ON c.id = p.category_id
    WHERE p.deleted_at IS NULL AND p.is_active
"""
NEWEST = PRODUCTS + " ORDER BY p.created_at DESC, p.id LIMIT 20"
VARIANTS = """
    SELECT product_id, id, sku, options, price, on_hand - allocated
    FROM variants WHERE product_id = ANY(%s) AND deleted_at IS NULL AND is_active
    ORDER BY position, id
"""
COUNT = "SELECT count(*) FROM products WHERE deleted_at IS NULL AND is_active"
CONTENTS = """
    SELECT v.id, v.product_id, v.sku, p.name, v.options, v.price, l.quantity
    FROM cart_lines l JOIN variants v ON v.id = l.variant_id JOIN products p ON p.id = v.product_id
    WHERE l.cart_id = %s ORDER BY l.id
"""


@app.get("/healthz/ready")
def ready() -> Response:
    """It takes requests as soon as it listens."""
    return _json({"status": "ok"})


@app.get("/products")
def list_products() -> Response:
    """The newest twenty products, and how many there are."""
    with _transaction() as cursor:
        cursor.execute(NEWEST)
        items = _show(cursor, cursor.fetchall())
        cursor.execute(COUNT)
        (total,) = cursor.fetchone()
    view = {"page": 1, "per_page": 20, "pages": -(-total // 20), "total": total}
    return _json({"items": items, **view})


@app.get("/products/<slug>")
def get_product(slug: str) -> Response:
    """One product."""
    with _transaction() as cursor:
        cursor.execute(PRODUCTS + " AND p.slug = %s", (slug,))
        (product,) = _show(cursor, cursor.fetchall())
    return _json(product)


@app.post("/cart/items")
def add_item() -> Response:
    """Put one of an article into a guest's cart, which is opened where there is none."""
    variant_id, token = request.get_json()["variant_id"], request.headers.get("X-Cart-Token")
    with _transaction() as cursor:
        if token is None:
            token = token_hex(24)
            cursor.execute(
                "INSERT INTO carts (token_hash, created_at, updated_at)"
                " VALUES (%s, now(), now()) RETURNING id",
                (_hash(token),),
            )
        else:
            cursor.execute("SELECT id FROM carts WHERE token_hash = %s FOR UPDATE", (_hash(token),))
        (cart_id,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO cart_lines (cart_id, variant_id, quantity, price_seen, created_at)"
            " SELECT %s, id, 1, price, now() FROM variants"
            " WHERE id = %s AND is_active AND deleted_at IS NULL AND on_hand - allocated >= 1",
            (cart_id, variant_id),
        )
        cursor.execute(CONTENTS, (cart_id,))
        items = [_line(row) for row in cursor]
    answer = _json({"items": items, "subtotal": _sum(items)}, 201)
    answer.headers["X-Cart-Token"] = token
    return answer


@app.post("/orders")
def place_order() -> Response:
    """Turn a guest's cart into an order: stock is locked, checked, promised and written down."""
    wishes, token = request.get_json(), request.headers["X-Cart-Token"]
    with _transaction() as cursor:
        cursor.execute("SELECT id FROM carts WHERE token_hash = %s FOR UPDATE", (_hash(token),))
        (cart_id,) = cursor.fetchone()
        cursor.execute(CONTENTS, (cart_id,))
        rows = cursor.fetchall()
        _allocate(cursor, rows)
        order_id, number = _insert_order(cursor, rows, wishes, token)
        _write_down(cursor, rows, order_id)
        cursor.execute("DELETE FROM cart_lines WHERE cart_id = %s", (cart_id,))
    items = [_line(row) for row in rows]
    view = {"id": order_id, "number": number, "status": "pending", "total": _sum(items)}
    return _json({**view, "items": items}, 201)


def _allocate(cursor: Any, rows: list[Any]) -> None:
    wanted = {row[0]: row[6] for row in rows}
    cursor.execute(
        "SELECT id, on_hand - allocated FROM variants WHERE id = ANY(%s) ORDER BY id FOR UPDATE",
        (list(wanted),),
    )
    if any(available < wanted[id_] for id_, available in cursor):
        raise ValueError("out of stock")
    execute_values(
        cursor,
        "UPDATE variants SET allocated = allocated + d.n FROM (VALUES %s) AS d (id, n)"
        " WHERE variants.id = d.id",
        list(wanted.items()),
    )


def _insert_order(
    cursor: Any, rows: list[Any], wishes: dict[str, Any], token: str
) -> tuple[int, str]:
    number = token_hex(8).upper()
    total = sum(row[5] * row[6] for row in rows)
    cursor.execute(
        "INSERT INTO orders (number, guest_token_hash, status, currency, subtotal, discount_total,"
        " shipping_total, tax_total, total, email, shipping_address, placed_at, updated_at)"
        " VALUES (%s, %s, 'pending', 'USD', %s, 0, 0, 0, %s, %s, %s, now(), now()) RETURNING id",
        (number, _hash(token), total, total, wishes["email"], Json(wishes["shipping_address"])),
    )
    return cursor.fetchone()[0], number


def _write_down(cursor: Any, rows: list[Any], order_id: int) -> None:
    lines = [
        (order_id, product_id, id_, sku, name, Json(options), price, quantity, price * quantity)
        for id_, product_id, sku, name, options, price, quantity in rows
    ]
    execute_values(
        cursor,
        "INSERT INTO order_lines (order_id, product_id, variant_id, sku, name, options, unit_price,"
        " quantity, line_total) VALUES %s",
        lines,
    )
    execute_values(
        cursor,
        "INSERT INTO stock_movements"
        " (variant_id, on_hand_delta, allocated_delta, reason, order_id, at) VALUES %s",
        [(row[0], row[6], order_id) for row in rows],
        "(%s, 0, %s, 'order placed', %s, now())",
    )
    cursor.execute(
        "INSERT INTO order_events (order_id, status, at, done_by)"
        " VALUES (%s, 'pending', now(), 'customer')",
        (order_id,),
    )


@contextmanager
def _transaction() -> Iterator[Any]:
    if not hasattr(local, "connection"):
        local.connection = psycopg2.connect(os.environ["DATABASE_URL"].replace("+psycopg2", ""))
    with local.connection, local.connection.cursor() as cursor:
        yield cursor


def _show(cursor: Any, rows: list[Any]) -> list[dict[str, Any]]:
    cursor.execute(VARIANTS, ([row[0] for row in rows],))
    variants: dict[int, list[Any]] = defaultdict(list)
    for product_id, *row in cursor:
        variants[product_id].append(_variant(*row))
    return [_product(variants[row[0]], *row) for row in rows]


def _variant(id_: int, sku: str, options: Any, price: int, stock: int) -> dict[str, Any]:
    return {
        "id": id_, "sku": sku, "options": options, "price": _money(price), "stock": stock,
        "in_stock": stock > 0, "is_active": True,
    }  # fmt: skip


def _product(
    variants: list[Any], id_: int, name: str, slug: str, description: str, price: int,
    before: int | None, is_active: bool, version: int, images: Any, options: Any,
    created_at: datetime, updated_at: datetime, *category: Any,
) -> dict[str, Any]:  # fmt: skip
    stock = sum(variant["stock"] for variant in variants)
    return {
        "id": id_, "name": name, "slug": slug, "description": description,
        "category": dict(zip(("id", "name", "slug"), category, strict=True)) if category[0] else None,
        "sku": variants[0]["sku"] if len(variants) == 1 else None,
        "price": _money(price), "currency": "USD",
        "compare_at_price": None if before is None else _money(before),
        "stock": stock, "in_stock": stock > 0, "is_active": is_active, "version": version,
        "images": images, "options": options, "variants": variants,
        "created_at": _time(created_at), "updated_at": _time(updated_at),
    }  # fmt: skip


def _line(row: Any) -> dict[str, Any]:
    id_, product_id, sku, name, options, price, quantity = row
    return {
        "product_id": product_id, "variant_id": id_, "sku": sku, "name": name, "options": options,
        "unit_price": _money(price), "quantity": quantity, "line_total": _money(price * quantity),
    }  # fmt: skip


def _sum(items: list[dict[str, Any]]) -> str:
    return _money(sum(int(item["line_total"].replace(".", "")) for item in items))


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _json(view: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(view), status, mimetype="application/json")
