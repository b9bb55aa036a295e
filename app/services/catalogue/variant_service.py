"""The variants of a product, edited as one list.

An edit names all variants of a product, but mostly changes one of them. Only those that differ are
locked and written: the product's lock, which the caller holds, keeps everything of a variant as it
was read except its stock, which orders change meanwhile.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.domain.catalogue.options import options_key
from app.domain.catalogue.product_input import VariantInput
from app.domain.catalogue.variant_rules import check_fit
from app.domain.people.actor import Actor
from app.domain.text import slug_words
from app.errors import Conflict, Invalid
from app.extensions import db
from app.models import Product, Variant
from app.services.inventory import inventory_service

MAX_GENERATED_SKU = 48
"""Generated SKUs are no longer than this; a suffix and 64 characters still leave room."""
MAX_ON_RECORD = 1000
"""Variants of one product, those left out included: a product's answer holds them all."""


@dataclass(frozen=True)
class _Target:
    """What a variant becomes; `variant` is None while it is new, `stock` where it stays."""

    variant: Variant | None
    sku: str
    options: dict[str, str]
    price: int
    is_active: bool
    position: int
    stock: int | None

    @property
    def differs(self) -> bool:
        old = self.variant
        return old is None or (
            (self.sku, self.options, self.price, self.is_active, self.position)
            != (old.sku, old.options, old.price, old.is_active, old.position)
            or self.stock not in (None, old.available)
        )


def replace_variants(
    product: Product, inputs: Sequence[VariantInput], actor: Actor, reason: str
) -> None:
    """Make a product's variants those of the list: matched by id, new without, others inactive.

    The product is flushed, its variants loaded, and the caller holds its lock. The caller flushes.

    Raises:
        Invalid: unknown ids, options that do not fit, a missing price, no active variant.
        Conflict: `sku_taken`, `stock_promised`.
    """
    by_id = {variant.id: variant for variant in product.variants}
    _check(product, inputs, by_id)
    targets = _targets(inputs, by_id, _choose_skus(product, inputs, by_id))
    listed = {target.variant.id for target in targets if target.variant}
    dropped = [variant for variant in product.active_variants if variant.id not in listed]
    changed = [target for target in targets if target.differs]
    existing = [target.variant for target in changed if target.variant]
    if dropped or existing:
        inventory_service.lock_variants(variant.id for variant in [*dropped, *existing])
    _release_unique_values(dropped, changed)
    stocks = [(_write(product, target), target.stock) for target in changed]
    if any(target.variant is None for target in changed):
        db.session.flush()  # the ledger refers to the new ids
    for variant, stock in stocks:
        if stock is not None:
            inventory_service.set_sellable(variant, stock, reason, actor)
    product.variants.sort(key=lambda variant: (variant.position, variant.id))


def _check(product: Product, inputs: Sequence[VariantInput], by_id: Mapping[int, Variant]) -> None:
    errors: dict[str, list[str]] = {}
    ids = [entry["id"] for entry in inputs if "id" in entry]
    for place, entry in enumerate(inputs):
        if "id" in entry and (entry["id"] not in by_id or ids.count(entry["id"]) > 1):
            errors[f"variants.{place}.id"] = ["No variant of this product, or named twice."]
        if "id" not in entry and "price" not in entry:
            errors[f"variants.{place}.price"] = ["Missing data for required field."]
    if not any(entry.get("is_active", True) for entry in inputs):
        errors["variants"] = ["At least one variant must be active."]
    if len(by_id) + len(inputs) - len(ids) > MAX_ON_RECORD:
        errors["variants"] = [f"{len(by_id)} variants are on record: make another product."]
    if errors:
        raise Invalid(errors)
    options = [
        (f"variants.{place}.options", _options(entry, by_id)) for place, entry in enumerate(inputs)
    ]
    check_fit(product.options, options)


def _options(entry: VariantInput, by_id: Mapping[int, Variant]) -> dict[str, str]:
    if "options" in entry or "id" not in entry:
        return dict(entry.get("options", {}))
    return by_id[entry["id"]].options


def _targets(
    inputs: Sequence[VariantInput], by_id: Mapping[int, Variant], skus: Sequence[str]
) -> list[_Target]:
    targets = []
    for position, (entry, sku) in enumerate(zip(inputs, skus, strict=True)):
        variant = by_id.get(entry.get("id", 0))
        price = entry["price"] if "price" in entry or variant is None else variant.price
        options, is_active = _options(entry, by_id), entry.get("is_active", True)
        stock = entry.get("stock")
        targets.append(_Target(variant, sku, options, price, is_active, position, stock))
    return targets


def _choose_skus(
    product: Product, inputs: Sequence[VariantInput], by_id: Mapping[int, Variant]
) -> list[str]:
    """A SKU for each variant: the requested one, its present one, or a generated one."""
    ids = {entry["id"] for entry in inputs if "id" in entry}
    present = [by_id[entry["id"]].sku if "id" in entry else "" for entry in inputs]
    skus = [entry.get("sku") or sku for entry, sku in zip(inputs, present, strict=True)]
    for place, sku in enumerate(skus):
        if sku and sku in skus[:place]:
            raise Invalid({f"variants.{place}.sku": ["Another variant has the same SKU."]})
    requests = [sku for sku, old in zip(skus, present, strict=True) if sku != old]
    generated = [
        "" if sku else _generate_sku(product, _options(entry, by_id))
        for entry, sku in zip(inputs, skus, strict=True)
    ]
    used = _other_skus({*requests, *generated} - {""}, ids)
    for sku in requests:
        if sku in used:
            raise Conflict("sku_taken", f"The SKU {sku} is taken.", sku=sku)
    used |= set(skus)
    for place, sku in enumerate(generated):
        if sku:
            skus[place] = f"{sku}-{secrets.token_hex(4).upper()}" if sku in used else sku
            used.add(skus[place])
    return skus


def _generate_sku(product: Product, options: Mapping[str, str]) -> str:
    words = [product.slug, *(slug_words(value) for value in options.values())]
    return "-".join([word for word in words if word]).upper()[:MAX_GENERATED_SKU].strip("-")


def _other_skus(skus: Collection[str], own_ids: Collection[int]) -> set[str]:
    """Which of the SKUs belong to variants other than these."""
    query = select(Variant.sku, Variant.id).where(
        Variant.sku.in_(sorted(skus)), Variant.deleted_at.is_(None)
    )
    return (
        {row.sku for row in db.session.execute(query) if row.id not in own_ids} if skus else set()
    )


def _release_unique_values(dropped: Sequence[Variant], changed: Sequence[_Target]) -> None:
    """Switch off variants that the list leaves out, and give up SKUs and options that change, so
    that two variants can swap theirs: the database checks uniqueness after every row."""
    for variant in dropped:
        variant.is_active = False
    for target in changed:
        if target.variant and target.options != target.variant.options:
            target.variant.is_active = False
        if target.variant and target.sku != target.variant.sku:
            target.variant.sku = f"~{target.variant.id}~{secrets.token_hex(8)}"
    db.session.flush()


def _write(product: Product, target: _Target) -> Variant:
    variant = target.variant
    if variant is None:
        variant = Variant(on_hand=0, allocated=0)
        product.variants.append(variant)
    variant.position = target.position
    variant.sku = target.sku
    variant.is_active = target.is_active
    variant.price = target.price
    variant.options = target.options
    variant.options_key = options_key(target.options)
    return variant
