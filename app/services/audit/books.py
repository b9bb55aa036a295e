"""The books: whether the shop's figures agree with each other.

Each check is one query that selects the rows which break a rule, with the values that its sentence
names. All checks only read, so they can run on one snapshot while the shop sells.
"""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Table, bindparam, func, select, text

from app.db.base import UtcDateTime
from app.domain.clock import utc_now
from app.domain.order_status import ALLOWED
from app.extensions import db
from app.models import MAX_QUANTITY, Base, Order, Product, StockMovement, Variant
from app.models.catalogue import OUTDATED_SEARCH_KEYS
from app.services.audit.check import Check
from app.services.audit.prices import PRICES

EVENTS_STORED = timedelta(days=89)
"""Events of steps that are younger have not been removed."""


LEDGER = (
    Check(
        "ledger",
        "variant {0}: {1} on hand and {2} allocated, but its ledger sums to {3} and {4}",
        """SELECT v.id, v.on_hand, v.allocated, COALESCE(m.on_hand, 0), COALESCE(m.allocated, 0)
        FROM variants v LEFT JOIN (
            SELECT variant_id, SUM(on_hand_delta) AS on_hand, SUM(allocated_delta) AS allocated
            FROM stock_movements GROUP BY variant_id) m ON m.variant_id = v.id
        WHERE v.on_hand != COALESCE(m.on_hand, 0) OR v.allocated != COALESCE(m.allocated, 0)""",
    ),
    Check(
        "figures",
        "variant {0}: {1} allocated of {2} on hand",
        """SELECT id, allocated, on_hand FROM variants
        WHERE allocated < 0 OR allocated > on_hand""",
    ),
    Check(
        "allocations",
        "variant {0}: {1} allocated, but open orders hold {2}",
        """SELECT v.id, v.allocated, COALESCE(o.quantity, 0)
        FROM variants v LEFT JOIN (
            SELECT l.variant_id, SUM(l.quantity) AS quantity
            FROM order_lines l JOIN orders o ON o.id = l.order_id
            WHERE o.status IN ('pending', 'processing') GROUP BY l.variant_id
        ) o ON o.variant_id = v.id
        WHERE v.allocated != COALESCE(o.quantity, 0)""",
    ),
    Check(
        "order ledger",
        "order {0}, variant {1}: {2} of {3} units, but the ledger took {4} and holds {5}",
        """SELECT l.order_id, l.variant_id, o.status, l.quantity,
            -COALESCE(m.on_hand, 0), COALESCE(m.allocated, 0)
        FROM order_lines l JOIN orders o ON o.id = l.order_id LEFT JOIN (
            SELECT order_id, variant_id,
                SUM(on_hand_delta) AS on_hand, SUM(allocated_delta) AS allocated
            FROM stock_movements WHERE order_id IS NOT NULL GROUP BY order_id, variant_id
        ) m ON m.order_id = l.order_id AND m.variant_id = l.variant_id
        WHERE -COALESCE(m.on_hand, 0) !=
                CASE WHEN o.status IN ('shipped', 'delivered') THEN l.quantity ELSE 0 END
            OR COALESCE(m.allocated, 0) !=
                CASE WHEN o.status IN ('pending', 'processing') THEN l.quantity ELSE 0 END""",
    ),
    Check(
        "stray movements",
        "movement {0}: booked for order {1}, which has no line with variant {2}",
        """SELECT m.id, m.order_id, m.variant_id FROM stock_movements m
        LEFT JOIN order_lines l ON l.order_id = m.order_id AND l.variant_id = m.variant_id
        WHERE m.order_id IS NOT NULL AND l.id IS NULL""",
    ),
)

_FOLLOWS = " OR ".join(
    f"(before = '{status}' AND status IN ({', '.join(repr(after) for after in allowed)}))"
    for status, allowed in ALLOWED.items()
    if allowed
)
ORDERS = (
    Check(
        "order totals",
        "order {0}: subtotal {1} and total {2}, but its {3} lines come to {4}",
        """SELECT o.id, o.subtotal, o.total, COALESCE(l.lines, 0), COALESCE(l.line_totals, 0)
        FROM orders o LEFT JOIN (
            SELECT order_id, COUNT(*) AS lines, SUM(line_total) AS line_totals
            FROM order_lines GROUP BY order_id) l ON l.order_id = o.id
        WHERE l.lines IS NULL OR o.subtotal != l.line_totals
            OR o.total != o.subtotal - o.discount_total + o.shipping_total
                + CASE WHEN o.tax_included THEN 0 ELSE o.tax_total END""",
    ),
    Check(
        "line totals",
        "order {0}, line {1}: {2} × {3} is not {4}",
        """SELECT order_id, id, quantity, unit_price, line_total FROM order_lines
        WHERE quantity < 1 OR line_total != unit_price * quantity""",
    ),
    Check(
        "currency",
        "order {0}: in {1}, but the shop sells in {2}",
        """SELECT o.id, o.currency, s.currency FROM orders o CROSS JOIN store s
        WHERE o.currency != s.currency""",
    ),
    Check(
        "status",
        "order {0}: {1}, but its history ends with {2}",
        """SELECT o.id, o.status, COALESCE(e.status, 'nothing')
        FROM orders o LEFT JOIN (
            SELECT order_id, MAX(id) AS id FROM order_events GROUP BY order_id
        ) last ON last.order_id = o.id LEFT JOIN order_events e ON e.id = last.id
        WHERE e.status IS NULL OR e.status != o.status""",
    ),
    Check(
        "history",
        "order {0}: {1} came after {2}",
        f"""SELECT order_id, status, COALESCE(before, 'nothing') FROM (
            SELECT order_id, status,
                LAG(status) OVER (PARTITION BY order_id ORDER BY id) AS before
            FROM order_events) steps
        WHERE NOT ((before IS NULL AND status = 'pending')
            OR (before IS NOT NULL AND ({_FOLLOWS})))""",
    ),
)

_TYPE = "CASE h.status WHEN 'pending' THEN 'order.placed' ELSE 'order.' || h.status END"
_WITH_EVENT = f"e.subject_kind = 'order' AND e.subject_id = h.order_id AND e.type = {_TYPE}"
EVENTS = (
    Check(
        "event missing",
        "order {0}: {1}, but the feed of events does not tell it",
        # Not of steps from before there were events, nor of steps whose events may have been removed.
        f"""SELECT h.order_id, h.status FROM order_events h
        WHERE h.status IN ('pending', 'cancelled', 'shipped', 'delivered') AND h.at > :since
            AND h.id > (SELECT min(h.id) FROM events e JOIN order_events h ON {_WITH_EVENT})
            AND NOT EXISTS (SELECT 1 FROM events e WHERE {_WITH_EVENT})""",
    ),
    Check(
        "event untrue",
        "event {0}: {1} of order {2}, but its history has no such step",
        f"""SELECT e.id, e.type, e.subject_id FROM events e WHERE e.subject_kind = 'order'
            AND NOT EXISTS (SELECT 1 FROM order_events h WHERE {_WITH_EVENT})""",
    ),
    Check(
        "event twice",
        "order {1}: event {0} and {2} others tell the same",
        """SELECT min(id), subject_id, count(*) - 1 FROM events WHERE subject_kind = 'order'
        GROUP BY subject_id, type HAVING count(*) > 1""",
    ),
)

CATALOGUE = (
    Check(
        "product price",
        "product {0}: listed at {1}, but its lowest price is {2}",
        # `flask renew-search-keys` renews what another release has written.
        f"""SELECT p.id, p.price, v.price FROM products p LEFT JOIN (
            SELECT product_id, COALESCE(
                MIN(CASE WHEN is_active AND on_hand > allocated THEN price END),
                MIN(CASE WHEN is_active THEN price END), MIN(price)) AS price
            FROM variants GROUP BY product_id) v ON v.product_id = p.id
        WHERE p.deleted_at IS NULL AND NOT {OUTDATED_SEARCH_KEYS}
            AND (v.price IS NULL OR p.price != v.price)""",
    ),
    Check(
        "deletions",
        "variant {0} of product {1}: one of them is deleted, the other is not",
        """SELECT v.id, p.id FROM variants v JOIN products p ON p.id = v.product_id
        WHERE (v.deleted_at IS NULL) != (p.deleted_at IS NULL)""",
    ),
    Check(
        "category tree",
        "category {0}: no way leads up to a root",
        """WITH RECURSIVE reached(id) AS (
            SELECT id FROM categories WHERE parent_id IS NULL
            UNION SELECT c.id FROM categories c JOIN reached r ON c.parent_id = r.id)
        SELECT id FROM categories WHERE id NOT IN (SELECT id FROM reached)""",
    ),
    Check(
        "category counts",
        "category {0}: said to offer {1} products, but {2} are offered in it",
        """SELECT c.id, c.offered, COALESCE(p.number, 0) FROM categories c LEFT JOIN (
            SELECT category_id, COUNT(*) AS number FROM products
            WHERE deleted_at IS NULL AND is_active GROUP BY category_id
        ) p ON p.category_id = c.id
        WHERE c.offered != COALESCE(p.number, 0)""",
    ),
)

PEOPLE = (
    Check(
        "carts",
        "cart {0}, line {1}: {2} units",
        f"""SELECT cart_id, id, quantity FROM cart_lines
        WHERE quantity < 1 OR quantity > {MAX_QUANTITY}""",
    ),
    Check(
        "cart owner",
        "cart {0}: it belongs to nobody, or to two",
        "SELECT id FROM carts WHERE (user_id IS NULL) = (token_hash IS NULL)",
    ),
    Check(
        "tombstones",
        "user {0}: deleted, but not erased",
        """SELECT id FROM users WHERE deleted_at IS NOT NULL AND
            (email IS NOT NULL OR email_key IS NOT NULL OR first_name != '' OR last_name != ''
                OR lookup_words LIKE '% | _%')""",
    ),
    Check(
        "erased orders",
        "order {0}: its customer {1} is deleted, but not erased here",
        """SELECT o.id, u.id FROM orders o JOIN users u ON u.id = o.user_id
        WHERE u.deleted_at IS NOT NULL AND (o.email IS NOT NULL
            OR o.shipping_address IS NOT NULL OR o.billing_address IS NOT NULL
            OR o.vat_id IS NOT NULL OR o.note != ''
            OR o.lookup_words LIKE '% | _%' OR EXISTS (
                SELECT 1 FROM order_events e WHERE e.order_id = o.id AND e.note != ''
                    AND e.at <= u.deleted_at))""",  # a note that staff wrote later is theirs
    ),
    Check(
        "idempotency keys",
        "idempotency key {0}: kept without an answer",
        "SELECT id FROM idempotency_keys WHERE answer IS NULL",
    ),
)


def violations() -> Iterator[str]:
    """A line for each violation: the name of the check, the ids and the figures."""
    since = {"since": utc_now() - EVENTS_STORED}
    for check in all_checks():
        query = text(check.query)
        if ":since" in check.query:
            query = query.bindparams(bindparam("since", type_=UtcDateTime())).bindparams(**since)
        for row in db.session.execute(query):
            yield f"{check.name}: {check.sentence.format(*row)}"


def figures() -> dict[str, int]:
    """How many rows the checks read, by table."""
    tables = {
        "products": Product, "variants": Variant, "orders": Order, "movements": StockMovement
    }  # fmt: skip
    return {name: _count(table) for name, table in tables.items()}


def all_checks() -> Iterator[Check]:
    """Every check, in the order in which `flask audit` reports."""
    yield from (*LEDGER, *ORDERS, *PRICES, *EVENTS, *CATALOGUE, *PEOPLE)
    for table in Base.metadata.sorted_tables:
        yield from _orphans(table)


def _orphans(table: Table) -> Iterator[Check]:
    """A check for each foreign key of a table: rows whose parent is missing."""
    for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
        column, parent = key.parent.name, key.column.table.name
        yield Check(
            "orphans",
            f"{table.name} {{0}}: its {column} {{1}} is not there",
            f"""SELECT child.id, child.{column} FROM {table.name} child
            LEFT JOIN {parent} parent ON parent.id = child.{column}
            WHERE child.{column} IS NOT NULL AND parent.id IS NULL""",
        )


def _count(table: type[Base]) -> int:
    return db.session.scalar(select(func.count()).select_from(table)) or 0
