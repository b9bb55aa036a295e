"""Prices a cart a second time, in exact fractions and plain loops, for tests to compare with the engine.

It shares nothing with the engine but the shapes of what goes in.
"""

import re
from fractions import Fraction
from math import floor

from app.domain.pricing.model import PricingRequest

COUNTRIES = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EU = frozenset(re.findall("[A-Z]{2}", COUNTRIES))


def half_up(exact):
    return floor(exact + Fraction(1, 2))


def spread(amount, weights):
    """One unit after another to whoever is furthest behind."""
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    exact = [Fraction(amount) * weight / whole for weight in weights]
    parts = [floor(share) for share in exact]
    given = set()
    while sum(parts) < amount:
        behind = [i for i in range(len(parts)) if i not in given]
        first = max(behind, key=lambda i: (exact[i] - floor(exact[i]), -i))
        parts[first] += 1
        given.add(first)
    return parts


def named(line, products, categories):
    return line.product_id in products or any(c in categories for c in line.category_ids)


def bought(line, p):
    nothing = not p.product_ids and not p.category_ids
    return nothing or named(line, p.product_ids, p.category_ids)


def taken_off(p, lines, left):
    articles = [line for line in lines if bought(line, p)]
    if not articles:
        return None
    if sum(line.unit_price * line.quantity for line in articles) < p.min_subtotal:
        return None
    if sum(line.quantity for line in articles) < p.min_quantity:
        return None
    weights = [left[line.id] if bought(line, p) else 0 for line in lines]
    if p.kind == "percentage":
        return spread(half_up(Fraction(sum(weights) * p.value, 100_000)), weights)
    if p.kind == "fixed_amount":
        return spread(min(p.value, sum(weights)), weights)
    if p.kind == "free_shipping":
        return [0] * len(lines) if any(line.requires_shipping for line in lines) else None
    others = bool(p.get_product_ids or p.get_category_ids)
    pool = articles
    if others:
        pool = [
            line
            for line in lines
            if named(line, p.get_product_ids, p.get_category_ids) and line not in articles
        ]
        sets = min(
            sum(line.quantity for line in articles) // p.buy_quantity,
            sum(line.quantity for line in pool) // p.get_quantity,
        )
    else:
        units = sum(line.quantity for line in articles)
        sets = units // (p.buy_quantity + p.get_quantity)
    if p.max_sets is not None:
        sets = min(sets, p.max_sets)
    units = [line for line in pool for _ in range(line.quantity)]
    units.sort(key=lambda line: (line.unit_price, line.id))
    gained = units[: sets * p.get_quantity]
    worths = [left[line.id] * gained.count(line) // line.quantity for line in lines]
    return spread(half_up(Fraction(sum(worths) * p.value, 100_000)), worths)


def rates_at(place, tax_class, rates):
    chosen = {}
    if place is None or tax_class == "zero":
        return chosen
    steps = (
        (place.region, tax_class),
        (place.region, "standard"),
        ("", tax_class),
        ("", "standard"),
    )
    for region, wanted in reversed(steps):
        for rate in rates:
            if (rate.country, rate.region, rate.tax_class) == (place.country, region, wanted):
                chosen[rate.name] = rate.rate
    return chosen


class Place:
    def __init__(self, country, region=""):
        self.country, self.region = country, region


def work_out(items, rates, place, included):
    """The rows by (name, rate), and the tax of each item."""
    rows, shares = {}, [0] * len(items)
    borne = [frozenset(rates_at(place, item[0], rates).items()) for item in items]
    if not included:
        for name, rate in sorted({tax for taxes in borne for tax in taxes}):
            lefts = [
                item[1] if (name, rate) in taxes else 0
                for item, taxes in zip(items, borne, strict=True)
            ]
            amount = half_up(Fraction(sum(lefts) * rate, 100_000))
            rows[name, rate] = (sum(lefts), amount)
            shares = [a + b for a, b in zip(shares, spread(amount, lefts), strict=True)]
        return rows, shares
    for taxes in {taxes for taxes in borne if taxes}:
        lefts = [item[1] if mine == taxes else 0 for item, mine in zip(items, borne, strict=True)]
        rate_sum = Fraction(sum(rate for _name, rate in taxes), 100_000)
        amount = half_up(sum(lefts) * rate_sum / (1 + rate_sum))
        ordered = sorted(taxes)
        for tax, part in zip(ordered, spread(amount, [rate for _n, rate in ordered]), strict=True):
            taxable, before = rows.get(tax, (0, 0))
            rows[tax] = (taxable + sum(lefts) - amount, before + part)
            shares = [a + b for a, b in zip(shares, spread(part, lefts), strict=True)]
    return rows, shares


def price(request: PricingRequest):
    """The figures of a cart, as a dictionary."""
    lines = sorted(request.lines, key=lambda line: line.id)
    left = {line.id: line.unit_price * line.quantity for line in lines}
    subtotal = sum(left.values())
    discounts, ids = [], []
    for p in sorted(
        request.promotions, key=lambda p: (-p.priority, p.code is None, p.id, p.code or "")
    ):
        if p.id in ids or (p.exclusive and ids):
            continue
        off = taken_off(p, lines, left)
        if off is None or (p.kind != "free_shipping" and sum(off) == 0):
            continue
        for line, amount in zip(lines, off, strict=True):
            left[line.id] -= amount
        discounts.append([p.id, p.kind, sum(off)])
        ids.append(p.id)
        if p.exclusive:
            break
    goods = sum(left.values())
    offers = {}
    if any(line.requires_shipping for line in lines):
        for method in request.methods:
            grams = sum(line.weight * line.quantity for line in lines if line.requires_shipping)
            x = {"flat": 0, "subtotal": goods, "weight": grams}[method.basis]
            begun = [row for row in method.rates if row.from_ <= x]
            row = max(begun, key=lambda row: row.from_, default=None)
            if row is None or (row.until is not None and x > row.until):
                continue
            free = method.free_from is not None and goods >= method.free_from
            offers[method.id] = 0 if free else row.price
    shipping = offers.get(request.method_id, 0)
    shipping_left = shipping
    for row in discounts:
        if row[1] == "free_shipping":
            row[2], shipping_left = shipping_left, 0
    chosen = [m for m in request.methods if m.id == request.method_id and m.id in offers]
    items = [(line.tax_class, left[line.id]) for line in lines]
    items.append((chosen[0].tax_class if chosen else "standard", shipping_left))
    home = request.home_country
    place = request.destination or (Place(home) if home else None)
    treatment = "standard"
    if place is not None:
        abroad = request.vat_country in EU and home in EU and request.vat_country != home
        has_rate = any(
            rate.country == place.country and rate.region in ("", place.region)
            for rate in request.rates
        )
        if abroad and place.country == request.vat_country:
            treatment = "reverse_charge"
        elif (
            place.country != home
            and not has_rate
            and any(rate.country == home for rate in request.rates)
        ):
            treatment = "export"
    rows, shares, relief = {}, [0] * len(items), [0] * len(items)
    if treatment == "standard":
        rows, shares = work_out(items, request.rates, place, request.prices_include_tax)
    elif request.prices_include_tax and home:
        _rows, relief = work_out(items, request.rates, Place(home), included=True)
    if sum(relief):
        discounts.append([None, "tax_relief", sum(relief)])
    added = 0 if request.prices_include_tax else sum(shares)
    discount_total = sum(row[2] for row in discounts)
    return {
        "subtotal": subtotal,
        "discounts": [tuple(row) for row in discounts if row[2]],
        "discount_total": discount_total,
        "shipping_total": shipping,
        "tax_total": sum(shares),
        "treatment": treatment,
        "taxes": [(*tax, *rows[tax]) for tax in sorted(rows) if rows[tax][1]],
        "offers": offers,
        "total": subtotal - discount_total + shipping + added,
        "lines": [
            (
                line.id,
                line.unit_price * line.quantity - left[line.id] + relief[i],
                shares[i],
                left[line.id] - relief[i] + (0 if request.prices_include_tax else shares[i]),
            )
            for i, line in enumerate(lines)
        ],
    }
