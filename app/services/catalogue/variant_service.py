"""The variants of a product: made, changed, switched off, as its new list of them says."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from app.domain.catalogue.options import options_key
from app.domain.catalogue.variant_rules import check_fit
from app.domain.people.actor import Actor
from app.domain.text import slug_words
from app.errors import Conflict, Invalid
from app.extensions import db
from app.models import Product, Variant
from app.services.inventory import inventory_service

MAX_MADE_SKU = 48
"""Made-up SKUs are no longer than this; a suffix and 64 characters still leave room."""
MAX_ON_RECORD = 1000
"""Variants of one product, those left out included: a product's answer holds them all."""

Wish = dict[str, Any]
"""`{id?, sku?, options?, price?, stock?, is_active?}`"""


def merge(product: Product, wishes: Sequence[Wish], actor: Actor, reason: str) -> None:
    """Make a product's variants those of the list: matched by id, new without, others inactive.

    The product is flushed, its variants loaded, and the caller holds its lock.

    Raises:
        Invalid: unknown ids, options that do not fit, a missing price, no active variant.
        Conflict: `sku_taken`, `stock_promised`.
    """
    ids = [variant.id for variant in product.variants]
    known = inventory_service.lock_variants(ids) if ids else {}
    _check(product, wishes, known)
    skus = _choose_skus(product, wishes, known)
    _let_go(wishes, skus, known)
    for place, wish in enumerate(wishes):
        variant = known.get(wish.get("id", 0)) or _new(product)
        _write(variant, {**wish, "sku": skus[place]}, place)
    db.session.flush()
    _write_stock(product, wishes, skus, actor, reason)
    db.session.flush()
    product.variants.sort(key=lambda variant: (variant.position, variant.id))


def _check(product: Product, wishes: Sequence[Wish], known: Mapping[int, Variant]) -> None:
    wrong: dict[str, list[str]] = {}
    ids = [wish["id"] for wish in wishes if "id" in wish]
    for place, wish in enumerate(wishes):
        if "id" in wish and (wish["id"] not in known or ids.count(wish["id"]) > 1):
            wrong[f"variants.{place}.id"] = ["No variant of this product, or named twice."]
        if "id" not in wish and "price" not in wish:
            wrong[f"variants.{place}.price"] = ["Missing data for required field."]
    if not any(wish.get("is_active", True) for wish in wishes):
        wrong["variants"] = ["At least one variant must be active."]
    if len(known) + len(wishes) - len(ids) > MAX_ON_RECORD:
        wrong["variants"] = [f"{len(known)} variants are on record: make another product."]
    if wrong:
        raise Invalid(wrong)
    check_fit(
        product.options,
        [(f"variants.{n}.options", _options(wish, known)) for n, wish in enumerate(wishes)],
    )


def _options(wish: Wish, known: Mapping[int, Variant]) -> dict[str, str]:
    if "options" in wish or "id" not in wish:
        return dict(wish.get("options", {}))
    return known[wish["id"]].options


def _choose_skus(
    product: Product, wishes: Sequence[Wish], known: Mapping[int, Variant]
) -> list[str]:
    """A SKU for each wish: the one that is asked for, the one that it has, or a made-up one."""
    chosen = [
        wish.get("sku") or (known[wish["id"]].sku if "id" in wish else None) for wish in wishes
    ]
    asked = [sku for sku in chosen if sku is not None]
    for place, sku in enumerate(chosen):
        if sku is not None and sku in chosen[:place]:
            raise Invalid({f"variants.{place}.sku": ["Another variant has the same SKU."]})
    made = [_made_sku(product, _options(wish, known)) for wish in wishes]
    taken = _taken({*asked, *made}, {wish["id"] for wish in wishes if "id" in wish})
    for sku in asked:
        if sku in taken:
            raise Conflict("sku_taken", f"The SKU {sku} is taken.", sku=sku)
    used = taken | set(asked)
    skus = []
    for wanted, fallback in zip(chosen, made, strict=True):
        sku = wanted or (
            f"{fallback}-{secrets.token_hex(4).upper()}" if fallback in used else fallback
        )
        used.add(sku)
        skus.append(sku)
    return skus


def _made_sku(product: Product, options: Mapping[str, str]) -> str:
    words = [product.slug, *(slug_words(value) for value in options.values())]
    return "-".join(word for word in words if word).upper()[:MAX_MADE_SKU].strip("-")


def _taken(skus: Iterable[str], own_ids: set[int]) -> set[str]:
    query = select(Variant.sku, Variant.id).where(
        Variant.sku.in_(sorted(skus)), Variant.deleted_at.is_(None)
    )
    return {row.sku for row in db.session.execute(query) if row.id not in own_ids}


def _let_go(wishes: Sequence[Wish], skus: Sequence[str], known: Mapping[int, Variant]) -> None:
    """Switch off what is left out, and free SKUs and options that change hands: two variants may
    swap theirs, and the database compares after every row."""
    listed = {wish["id"]: place for place, wish in enumerate(wishes) if "id" in wish}
    for variant in known.values():
        place = listed.get(variant.id)
        if place is None:
            variant.is_active = False
            continue
        if options_key(_options(wishes[place], known)) != variant.options_key:
            variant.is_active = False
        if skus[place] != variant.sku:
            variant.sku = f"~{variant.id}~{secrets.token_hex(8)}"
    db.session.flush()


def _new(product: Product) -> Variant:
    variant = Variant(on_hand=0, allocated=0, options={}, options_key="{}")
    product.variants.append(variant)
    return variant


def _write(variant: Variant, wish: Wish, place: int) -> None:
    variant.position = place
    variant.sku = wish["sku"]
    variant.is_active = wish.get("is_active", True)
    if "price" in wish:
        variant.price = wish["price"]
    if "options" in wish:
        variant.options = dict(wish["options"])
        variant.options_key = options_key(variant.options)


def _write_stock(
    product: Product, wishes: Sequence[Wish], skus: Sequence[str], actor: Actor, reason: str
) -> None:
    by_sku = {variant.sku: variant for variant in product.variants}
    for wish, sku in zip(wishes, skus, strict=True):
        if "stock" in wish:
            inventory_service.set_sellable(by_sku[sku], wish["stock"], reason, actor)
