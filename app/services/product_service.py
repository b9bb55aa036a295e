"""Products: created, edited and taken out of the catalogue."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Select, select, update
from sqlalchemy.orm import selectinload

from app.domain.catalogue.images import StoredImage
from app.domain.catalogue.product_input import (
    SINGLE_VARIANT_FIELDS,
    ImageInput,
    ProductInput,
    VariantInput,
)
from app.domain.catalogue.variant_rules import check_declared, copy_to_variants
from app.domain.clock import utc_now
from app.domain.conditions import UNCONDITIONAL, Precondition
from app.domain.people.actor import Actor
from app.domain.pricing.model import STANDARD
from app.errors import Invalid, NotFound, PreconditionFailed
from app.extensions import db
from app.models import Product, Variant
from app.models.paths import at_address
from app.services.audit import trail
from app.services.cache import catalogue_cache
from app.services.catalogue import variant_service
from app.services.catalogue.category_service import require_category
from app.services.catalogue.slugs import choose_slug, refuse_other_slug
from app.services.inventory import inventory_service, stock_service

_COLUMNS: tuple[
    Literal[
        "name", "description", "is_active", "compare_at_price", "tax_class", "requires_shipping"
    ],
    ...,
] = (
    "name", "description", "is_active", "compare_at_price", "tax_class", "requires_shipping",
)  # fmt: skip
"""Fields that are stored as they are given."""


def create_product(actor: Actor, fields: ProductInput) -> Product:
    """Add a product: simple (`price`, `sku`, `stock`), or with `options` and `variants`.

    Raises:
        Invalid: an unknown category; options or variants that do not fit together.
        Conflict: `slug_taken`, `sku_taken`.
    """
    check_declared(fields.get("options", []))
    variants = _variants_of_new(fields)
    product = Product(
        name=fields["name"],
        slug=choose_slug(Product, fields.get("slug"), fields["name"]),
        description=fields.get("description", ""),
        category=require_category(fields.get("category_id")),
        compare_at_price=fields.get("compare_at_price"),
        tax_class=fields.get("tax_class", STANDARD),
        requires_shipping=fields.get("requires_shipping", True),
        options=fields.get("options", []),
        images=[],
        is_active=fields.get("is_active", True),
        variants=[],
    )
    product.derive([])
    db.session.add(product)
    db.session.flush()
    variant_service.replace_variants(product, variants, actor, "initial stock")
    refuse_other_slug(product, fields.get("slug"))
    _finish(product)
    trail.record(actor, "product.created", product.id, {}, trail.product_state(product))
    return product


def edit_product(
    actor: Actor,
    address: str,
    changes: ProductInput,
    precondition: Precondition = UNCONDITIONAL,
) -> Product:
    """Change the fields that are given, and raise the version if any of them differs.

    `images` lists the pictures that stay, in their order.

    Raises:
        NotFound: there is no such product.
        PreconditionFailed: it is in another state than the precondition allows.
        Invalid: an unknown category or picture; options or variants that do not fit together.
        Conflict: `slug_taken`, `sku_taken`.
    """
    product = lock_product(address)
    refusal = _refusal(product, precondition, _writes_stock(changes))
    images = arrange_images(product.images, changes["images"]) if "images" in changes else None
    if changes:
        edit_locked(actor, product, changes, images)
    if refusal:
        raise refusal
    return product


def edit_locked(
    actor: Actor,
    product: Product,
    changes: ProductInput,
    images: list[StoredImage] | None = None,
) -> Product:
    """Change fields of a product that `lock_product` returned; `images` are all that it has then.

    Raises: as `edit_product` does.
    """
    before, order, on_hand = _state(product), _order(product), _on_hand(product)
    if "category_id" in changes:
        product.category = require_category(changes["category_id"])
    slug = changes.get("slug")
    if slug not in (None, product.slug):
        product.slug = choose_slug(Product, slug, product.name, product.id)
    for column in _COLUMNS:
        if column in changes:
            setattr(product, column, changes[column])
    if images is not None:
        product.images = images
    _edit_variants(actor, product, changes)
    refuse_other_slug(product, slug)
    if (_state(product), _order(product)) == (before, order):
        return product
    product.version += 1
    _finish(product)
    if _on_hand(product) != on_hand:
        _restore_price(product)
    trail.record(actor, "product.edited", product.id, before, _state(product))
    return product


def edit_variant(
    actor: Actor,
    address: str,
    variant_id: int,
    changes: VariantInput,
    precondition: Precondition = UNCONDITIONAL,
) -> Product:
    """Change fields of one variant, active or not, and leave the product's other variants.

    Raises:
        NotFound: there is no such product, or it has no such variant.
        PreconditionFailed, Conflict: as `edit_product` does.
        Invalid: as `edit_product` does, by the variant's own fields.
    """
    product = lock_product(address)
    if variant_id not in [variant.id for variant in product.variants]:
        raise NotFound("variant")
    refusal = _refusal(product, precondition, "stock" in changes)
    if changes:
        inputs = variant_service.with_changed_variant(product, {**changes, "id": variant_id})
        try:
            edit_locked(actor, product, {"variants": inputs})
        except Invalid as error:
            errors = error.extra.get("errors", {}).items()
            raise Invalid({name.split(".", 2)[-1]: texts for name, texts in errors}) from None
    if refusal:
        raise refusal
    return product


def free_sku(actor: Actor, address: str, sku: str) -> Product:
    """Give an inactive variant another SKU, so that its own is free for another product.

    Orders keep the SKU that they copied, and the ledger belongs to the variant.

    Raises:
        NotFound: there is no such product.
        Invalid: it has no inactive variant with this SKU.
    """
    product = lock_product(address)
    for variant in product.variants:
        if variant.sku == sku and not variant.is_active:
            changes = VariantInput(sku=variant_service.unused_sku(sku))
            return edit_variant(actor, address, variant.id, changes)
    raise Invalid({"sku": ["No variant that is off sale has this SKU."]})


def change_stock(
    actor: Actor,
    address: str,
    correction: Mapping[str, Any],
    precondition: Precondition = UNCONDITIONAL,
) -> tuple[Variant, Product]:
    """Correct what is on hand of a product's variant; `correction` as for `stock_service`.

    The product's version stays, its ETag does not. With a precondition the product and all of its
    variants are locked, so that of two corrections that expect the same ETag only one happens. Without
    one the variant alone is locked, as by orders.

    Returns:
        The variant, and its product as it is then.

    Raises:
        PreconditionFailed: the product is in another state than the precondition allows.
        Otherwise as `stock_service.change_stock` does.
    """
    refusal = None
    if precondition.is_set:
        refusal = _refusal(lock_product(address), precondition, writes_stock=True)
    variant = stock_service.change_stock(actor, address, **correction)
    if refusal:
        raise refusal
    # Read after the change, because a trigger may have changed the product's price.
    return variant, _one(_query(str(variant.product_id)))


def delete_product(actor: Actor, address: str, precondition: Precondition = UNCONDITIONAL) -> None:
    """Take a product out of the catalogue; orders and carts still refer to it; its slug and
    SKUs are free again.

    Raises:
        NotFound: there is no such product.
        PreconditionFailed: it is in another state than the precondition allows.
    """
    product = lock_product(address)
    precondition.check(product)
    inventory_service.lock_variants(variant.id for variant in product.variants)
    now = utc_now()
    product.deleted_at = now
    product.version += 1
    db.session.execute(
        update(Variant).where(Variant.product_id == product.id).values(deleted_at=now)
    )
    trail.record(actor, "product.deleted", product.id, trail.product_state(product))
    _invalidate(product)


def lock_product(address: str) -> Product:
    """Lock an undeleted product against other edits, and load its category and variants.

    The lock (FOR NO KEY UPDATE) lets orders refer to the product's key. Only an order that takes the last
    unit of a variant waits for it, because a trigger then writes the product's price.

    Raises:
        NotFound: there is none.
    """
    return _one(_query(address).with_for_update(key_share=True))


def arrange_images(images: Sequence[StoredImage], order: Sequence[ImageInput]) -> list[StoredImage]:
    """The pictures that `order` names by `id`, in its order, with its `alt` where it has one.

    Raises:
        Invalid: an unknown id, or one that is named twice.
    """
    by_id = {image["id"]: image for image in images}
    ids = [entry["id"] for entry in order]
    errors = {
        f"images.{place}.id": ["This product has no such picture, or it is named twice."]
        for place, image_id in enumerate(ids)
        if image_id not in by_id or image_id in ids[:place]
    }
    if errors:
        raise Invalid(errors)
    return [
        {**by_id[entry["id"]], "alt": entry.get("alt", by_id[entry["id"]]["alt"])}
        for entry in order
    ]


def _query(address: str) -> Select[Product]:
    return (
        select(Product)
        .where(Product.deleted_at.is_(None), at_address(Product, address))
        .options(selectinload(Product.category), selectinload(Product.variants))
        .execution_options(populate_existing=True)
    )


def _one(query: Select[Product]) -> Product:
    product: Product | None = db.session.scalars(query).one_or_none()
    if product is None:
        raise NotFound("product")
    return product


def _refusal(
    product: Product, precondition: Precondition, writes_stock: bool
) -> PreconditionFailed | None:
    """The refusal by a precondition of a write to a locked product."""
    if writes_stock and precondition.is_set:
        inventory_service.lock_variants(variant.id for variant in product.variants)
    return precondition.refusal(product, writes_stock)


def _writes_stock(changes: ProductInput) -> bool:
    return "stock" in changes or any("stock" in entry for entry in changes.get("variants", ()))


def _state(product: Product) -> trail.State:
    # The relationship is set before the column, which only the flush writes.
    category_id = product.category.id if product.category else None
    return {**trail.product_state(product), "category_id": category_id}


def _order(product: Product) -> list[tuple[int, int]]:
    return [(variant.position, variant.id) for variant in product.variants]


def _on_hand(product: Product) -> dict[int, int]:
    return {variant.id: variant.on_hand for variant in product.variants}


def _variants_of_new(fields: ProductInput) -> list[VariantInput]:
    if "variants" not in fields and fields.get("options"):
        raise Invalid({"variants": ["A product with options needs variants."]})
    simple: list[VariantInput] = [{}]
    variants = [entry.copy() for entry in fields.get("variants", simple)]
    copy_to_variants(fields, variants, are_new=True)
    return variants


def _edit_variants(actor: Actor, product: Product, changes: ProductInput) -> None:
    check_declared(changes.get("options", []))
    product.options = changes.get("options", product.options)
    if changes.keys().isdisjoint({"options", "variants", *SINGLE_VARIANT_FIELDS}):
        return
    active: list[VariantInput] = [{"id": variant.id} for variant in product.active_variants]
    variants = [entry.copy() for entry in changes.get("variants", active)]
    # As in a new product, where every variant that exists has a price of its own.
    are_new = all("id" not in entry or "price" in entry for entry in variants)
    copy_to_variants(changes, variants, are_new)
    variant_service.replace_variants(product, variants, actor, "stock set")


def _finish(product: Product) -> None:
    product.derive(product.variants)
    db.session.flush()
    _invalidate(product)


def _restore_price(product: Product) -> None:
    """Write the derived price again where triggers wrote another one, after stock was written.

    A flush writes the product first and then its variants one after the other. A trigger that runs in
    between (migration 0032) sees stock and prices of which some are new and some are old.
    """
    db.session.execute(
        update(Product)
        .where(Product.id == product.id, Product.price != product.price)
        .values(price=product.price, updated_at=product.updated_at),
        execution_options={"synchronize_session": False},
    )


def _invalidate(product: Product) -> None:
    catalogue_cache.invalidate_product(product.id)
    catalogue_cache.invalidate_lists()
