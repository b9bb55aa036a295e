"""The part of the books that says how totals come about: taxes, discounts, and the uses of promotions."""

from app.services.audit.check import Check

_SHARES = """SELECT o.id, o.{total}, COALESCE(l.amount, 0) + o.{shipping}
    FROM orders o LEFT JOIN (
        SELECT order_id, SUM({total}) AS amount FROM order_lines GROUP BY order_id
    ) l ON l.order_id = o.id
    WHERE o.{total} != COALESCE(l.amount, 0) + o.{shipping}"""
_SUMS = """SELECT o.id, o.{total}, COALESCE(s.amount, 0)
    FROM orders o LEFT JOIN (
        SELECT order_id, SUM(amount) AS amount FROM {table} GROUP BY order_id
    ) s ON s.order_id = o.id
    WHERE o.{total} != COALESCE(s.amount, 0)"""
_USES = """SELECT p.id, p.uses, COALESCE(r.uses, 0) FROM {table} p LEFT JOIN (
        SELECT {column} AS id, COUNT(*) AS uses FROM redemptions GROUP BY {column}
    ) r ON r.id = p.id
    WHERE p.limit_total IS NOT NULL
        AND (p.uses != COALESCE(r.uses, 0) OR p.uses > p.limit_total)"""

PRICES = (
    Check(
        "discounts",
        "order {0}: {1} is taken off, but its discounts come to {2}",
        _SUMS.format(total="discount_total", table="order_discounts"),
    ),
    Check(
        "discount shares",
        "order {0}: {1} is taken off, but the shares of its lines and of shipping come to {2}",
        _SHARES.format(total="discount_total", shipping="shipping_discount"),
    ),
    Check(
        "taxes",
        "order {0}: tax of {1}, but its taxes come to {2}",
        _SUMS.format(total="tax_total", table="order_taxes"),
    ),
    Check(
        "tax shares",
        "order {0}: tax of {1}, but the shares of its lines and of shipping come to {2}",
        _SHARES.format(total="tax_total", shipping="shipping_tax"),
    ),
    Check(
        # On top of prices a tax is rounded once. Within prices it is rounded once for each set of taxes,
        # of which an order has at most as many as lines, and one for shipping.
        "tax rates",
        "order {0}: {1} at {2} thousandths of a percent of {3} is not {4}",
        """SELECT t.order_id, t.name, t.rate, t.taxable, t.amount
        FROM order_taxes t JOIN orders o ON o.id = t.order_id JOIN (
            SELECT order_id, COUNT(*) AS lines FROM order_lines GROUP BY order_id
        ) l ON l.order_id = o.id
        WHERE ABS(t.taxable * t.rate - t.amount * 100000) > CASE WHEN o.tax_included
            THEN (l.lines + 2) * (100000 + t.rate) ELSE 50000 END""",
    ),
    Check(
        "redemptions",
        "order {0}: promotion {1} takes something off, but no use of it is recorded",
        """SELECT d.order_id, d.promotion_id
        FROM order_discounts d JOIN orders o ON o.id = d.order_id
        WHERE d.promotion_id IS NOT NULL AND o.status != 'cancelled' AND NOT EXISTS (
            SELECT 1 FROM redemptions r
            WHERE r.order_id = d.order_id AND r.promotion_id = d.promotion_id)""",
    ),
    Check(
        "stray redemptions",
        "order {0}: counts as a use of promotion {1}, but is cancelled, or nothing is taken off",
        """SELECT r.order_id, r.promotion_id
        FROM redemptions r JOIN orders o ON o.id = r.order_id
        WHERE o.status = 'cancelled' OR NOT EXISTS (
            SELECT 1 FROM order_discounts d
            WHERE d.order_id = r.order_id AND d.promotion_id = r.promotion_id)""",
    ),
    Check(
        "uses of promotions",
        "promotion {0}: {1} uses are counted, but {2} are recorded",
        _USES.format(table="promotions", column="promotion_id"),
    ),
    Check(
        "uses of codes",
        "code {0}: {1} uses are counted, but {2} are recorded",
        _USES.format(table="promotion_codes", column="code_id"),
    ),
    Check(
        "pricing in use",
        "the shop has {0} that are not read, because `store` says that there are none",
        """SELECT 'tax rates' FROM store
        WHERE NOT has_tax_rates AND EXISTS (SELECT 1 FROM tax_rates)
        UNION ALL SELECT 'shipping methods' FROM store
        WHERE NOT has_shipping_methods AND EXISTS (SELECT 1 FROM shipping_methods)
        UNION ALL SELECT 'promotions' FROM store
        WHERE NOT has_promotions AND EXISTS (SELECT 1 FROM promotions)""",
    ),
)
