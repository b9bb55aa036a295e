"""The variants of a product, edited as one list.

An edit names all variants of a product, but mostly changes one of them. Only those that differ are
locked and written: the product's lock, which the caller holds, keeps everything of a variant as it
was read except its stock, which orders change meanwhile.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.domain.catalogue.product_input import VariantInput
from app.domain.catalogue.variant_rules import MAX_VARIANTS, check_fit, options_key
from app.domain.people.actor import Actor
from app.domain.text import slug_words
from app.errors import Invalid
from app.extensions import db
from app.models import Product, Variant
from app.services.catalogue import sku_holders
from app.services.inventory import inventory_service

MAX_GENERATED_SKU = 48
"""Generated SKUs are no longer than this; a suffix and 64 characters still leave room."""
MAX_ON_RECORD = 1000
"""Variants of one product, those left out included: a product's answer holds them all."""


@dataclass
class _Target:
    """What a variant becomes. `variant` is None while it is new, `sku` empty until one is
    generated, `stock` None where it stays."""

    variant: Variant | None
    position: int
    sku: str
    options: dict[str, str]
    price: int
    is_active: bool
    stock: int | None
    weight: int

    @property
    def differs(self) -> bool:
        old = self.variant
        return old is None or (
            (self.position, self.sku, self.options, self.price, self.is_active, self.weight)
            != (old.position, old.sku, old.options, old.price, old.is_active, old.weight)
            or self.stock not in (None, old.available)
        )

    @property
    def has_to_fit(self) -> bool:
        """Whether its options have to be among those of the product. A variant that is and stays
        inactive may have options that the product no longer has."""
        old = self.variant
        return self.is_active or old is None or old.is_active or self.options != old.options


def replace_variants(
    product: Product, inputs: Sequence[VariantInput], actor: Actor, reason: str
) -> None:
    """Make a product's variants those of the list: matched by id, new without, others inactive.

    The product is flushed, its variants loaded, and the caller holds its lock. The caller flushes.

    Raises:
        Invalid: unknown ids, options that do not fit, a missing price, no active variant.
        Conflict: `sku_taken`.
    """
    by_id = {variant.id: variant for variant in product.variants}
    _check(inputs, by_id)
    targets = [_target(entry, by_id, position) for position, entry in enumerate(inputs)]
    check_fit(product.options, [
        (f"variants.{t.position}.options", t.options) for t in targets if t.has_to_fit
    ])  # fmt: skip
    _choose_skus(product, targets)
    ids = {target.variant.id for target in targets if target.variant}
    dropped = [variant for variant in product.active_variants if variant.id not in ids]
    changed = [target for target in targets if target.differs]
    existing = [target.variant for target in changed if target.variant]
    if dropped or existing:
        inventory_service.lock_variants(variant.id for variant in [*dropped, *existing])
    _release_unique_values(dropped, changed)
    stocks = [(_write(product, target), target.stock) for target in changed]
    if len(existing) < len(changed):
        db.session.flush()  # the ledger refers to the new ids
    for variant, stock in stocks:
        if stock is not None:
            inventory_service.set_sellable(variant, stock, reason, actor)
    product.variants.sort(key=lambda variant: (variant.position, variant.id))


def with_changed_variant(product: Product, changed: VariantInput) -> list[VariantInput]:
    """The list for `replace_variants` that changes one variant, by its `id`, and no other."""
    ids = [variant.id for variant in product.active_variants]
    is_active = changed["id"] in ids
    entry: VariantInput = {"is_active": is_active, **changed}
    all_ids = ids if is_active else [*ids, changed["id"]]
    return [entry if id_ == changed["id"] else {"id": id_} for id_ in all_ids]


def unused_sku(sku: str) -> str:
    """A SKU for an inactive variant whose own SKU is to be free again."""
    return f"{sku[:MAX_GENERATED_SKU]}-{secrets.token_hex(4).upper()}"


def _check(inputs: Sequence[VariantInput], by_id: Mapping[int, Variant]) -> None:
    errors: dict[str, list[str]] = {}
    ids = [entry["id"] for entry in inputs if "id" in entry]
    for place, entry in enumerate(inputs):
        if "id" in entry and (entry["id"] not in by_id or ids.count(entry["id"]) > 1):
            errors[f"variants.{place}.id"] = [
                "This product has no such variant, or it is named twice."
            ]
        if "id" not in entry and "price" not in entry:
            errors[f"variants.{place}.price"] = ["Missing data for required field."]
    active = sum(entry.get("is_active", True) for entry in inputs)
    if not active:
        errors["variants"] = ["At least one variant must be active."]
    if active > MAX_VARIANTS:
        errors["variants"] = [f"A product has at most {MAX_VARIANTS} active variants."]
    if len(by_id) + len(inputs) - len(ids) > MAX_ON_RECORD:
        errors["variants"] = [
            f"A product has at most {MAX_ON_RECORD} variants, inactive ones included."
        ]
    if errors:
        raise Invalid(errors)


def _target(entry: VariantInput, by_id: Mapping[int, Variant], position: int) -> _Target:
    variant = by_id[entry["id"]] if "id" in entry else None
    return _Target(
        variant,
        position,
        sku=entry.get("sku") or (variant.sku if variant else ""),
        options=entry.get("options", variant.options if variant else {}),
        price=entry["price"] if "price" in entry or variant is None else variant.price,
        is_active=entry.get("is_active", True),
        stock=entry.get("stock"),
        weight=entry.get("weight", variant.weight if variant else 0),
    )


def _choose_skus(product: Product, targets: Sequence[_Target]) -> None:
    """Check the SKUs that change, and generate one for each new variant that has none."""
    skus = [target.sku for target in targets]
    for target in targets:
        if target.sku and target.sku in skus[: target.position]:
            field = f"variants.{target.position}.sku"
            raise Invalid({field: ["Another variant has the same SKU."]})
    present = {target.variant.sku for target in targets if target.variant}
    requests = [sku for sku in skus if sku and sku not in present]
    nameless = [target for target in targets if not target.sku]
    for target in nameless:
        target.sku = _generate_sku(product, target.options)
    used = _existing_skus({*requests, *(target.sku for target in nameless)}) - present
    for sku in requests:
        if sku in used:
            raise sku_holders.sku_taken(sku)
    used.update(skus)
    for target in nameless:
        if target.sku in used:
            target.sku = unused_sku(target.sku)
        used.add(target.sku)


def _generate_sku(product: Product, options: Mapping[str, str]) -> str:
    words = [product.slug, *(slug_words(value) for value in options.values())]
    return "-".join([word for word in words if word]).upper()[:MAX_GENERATED_SKU].strip("-")


def _existing_skus(skus: Collection[str]) -> set[str]:
    query = select(Variant.sku).where(Variant.sku.in_(sorted(skus)), Variant.deleted_at.is_(None))
    return set(db.session.scalars(query)) if skus else set()


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
    variant.weight = target.weight
    variant.options = target.options
    variant.options_key = options_key(target.options)
    return variant
