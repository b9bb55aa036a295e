"""Products: made, edited and taken out of the catalogue."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import selectinload

from app.domain.catalogue.variant_rules import check_declared, spread
from app.domain.clock import utc_now
from app.domain.conditions import check_version
from app.domain.people.actor import Actor
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import Product, Variant
from app.models.paths import at_address
from app.services.audit import trail
from app.services.cache import catalogue_cache
from app.services.catalogue import variant_service
from app.services.catalogue.category_service import require_category
from app.services.catalogue.slugs import choose_slug, refuse_other_slug
from app.services.inventory import inventory_service

ARTICLE = ("sku", "price", "stock")
"""What may be said of a product itself when it has just one variant."""
PLAIN = ("name", "description", "is_active", "compare_at_price", "images")


def create_product(actor: Actor, **wishes: Any) -> Product:
    """A new product, simple (`price`, `sku`, `stock`) or with `options` and `variants`.

    Takes what `ProductSchema` reads; prices in minor units, `stock` in units.

    Raises:
        Invalid: an unknown category; options or variants that do not fit together.
        Conflict: `slug_taken`, `sku_taken`.
    """
    check_declared(wishes.get("options", []))
    variants = _variants_of_new(wishes)
    product = Product(
        name=wishes["name"],
        slug=choose_slug(Product, wishes.get("slug"), wishes["name"]),
        description=wishes.get("description", ""),
        category=require_category(wishes.get("category_id")),
        compare_at_price=wishes.get("compare_at_price"),
        options=wishes.get("options", []),
        images=[],
        is_active=wishes.get("is_active", True),
        variants=[],
    )
    product.derive([])
    db.session.add(product)
    db.session.flush()
    variant_service.merge(product, variants, actor, "initial stock")
    refuse_other_slug(product, wishes.get("slug"))
    _finish(product)
    trail.record(actor, "product.created", product.id, {}, trail.product_state(product))
    return product


def edit_product(
    actor: Actor, address: str, changes: dict[str, Any], expected: Collection[str] | None = None
) -> Product:
    """Change the fields that are given, and raise the version; an empty change is none.

    `expected`: the versions at which the caller would change it; None for any.

    Raises:
        NotFound: there is no such product.
        PreconditionFailed: it stands at another version.
        Invalid: an unknown category; options or variants that do not fit together.
        Conflict: `slug_taken`, `sku_taken`, `stock_promised`.
    """
    product = lock_product(address)
    version = product.version
    if "images" in changes:
        changes = {**changes, "images": arrange(product.images, changes["images"])}
    if changes:
        edit_locked(actor, product, changes)
    # Last: whatever else is wrong is told first. The row was locked before its version was read,
    # and a refusal takes the edit back.
    check_version(version, expected)
    return product


def edit_locked(actor: Actor, product: Product, changes: dict[str, Any]) -> Product:
    """Change fields of a product that `lock_product` gave; `images` as they are stored.

    Raises: as `edit_product` does.
    """
    before = trail.product_state(product)
    if "category_id" in changes:
        product.category = require_category(changes["category_id"])
    if "slug" in changes:
        product.slug = choose_slug(Product, changes["slug"], product.name, product.id)
    for column in PLAIN:
        if column in changes:
            setattr(product, column, changes[column])
    _edit_variants(actor, product, changes)
    refuse_other_slug(product, changes.get("slug"))
    product.version += 1
    _finish(product)
    trail.record(actor, "product.edited", product.id, before, trail.product_state(product))
    return product


def delete_product(actor: Actor, address: str, expected: Collection[str] | None = None) -> None:
    """Take a product out of the catalogue; orders and carts still know it, its names are free.

    Raises:
        NotFound: there is no such product.
        PreconditionFailed: it stands at another version.
    """
    product = lock_product(address)
    check_version(product.version, expected)
    inventory_service.lock_variants(variant.id for variant in product.variants)
    now = utc_now()
    product.deleted_at = now
    product.version += 1
    db.session.execute(
        update(Variant).where(Variant.product_id == product.id).values(deleted_at=now)
    )
    trail.record(actor, "product.deleted", product.id, trail.product_state(product))
    _forget(product)


def lock_product(address: str) -> Product:
    """An undeleted product with category and variants, locked against other edits.

    The lock lets orders go on: they refer to the product's key, which no edit changes.

    Raises:
        NotFound: there is none.
    """
    query = (
        select(Product)
        .where(Product.deleted_at.is_(None), at_address(Product, address))
        .options(selectinload(Product.category), selectinload(Product.variants))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    product: Product | None = db.session.scalars(query).one_or_none()
    if product is None:
        raise NotFound("product")
    return product


def arrange(
    known: Sequence[Mapping[str, Any]], wishes: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A product's pictures in the order of the wishes, which name them by `id` and may describe
    them by `alt`; those left out are taken away.

    Raises:
        Invalid: an unknown id, or one that is named twice.
    """
    by_id = {image["id"]: image for image in known}
    wrong = {
        f"images.{place}.id": ["This product has no such picture, or it is named twice."]
        for place, wish in enumerate(wishes)
        if by_id.pop(wish["id"], None) is None
    }
    if wrong:
        raise Invalid(wrong)
    facts = {image["id"]: image for image in known}
    return [{**facts[wish["id"]], **wish} for wish in wishes]


def _variants_of_new(wishes: dict[str, Any]) -> list[dict[str, Any]]:
    if "variants" not in wishes:
        if wishes.get("options"):
            raise Invalid({"variants": ["A product with options needs variants."]})
        return [{name: wishes[name] for name in ARTICLE if name in wishes}]
    variants = [dict(wish) for wish in wishes["variants"]]
    spread(wishes, variants, new=True)
    return variants


def _edit_variants(actor: Actor, product: Product, changes: dict[str, Any]) -> None:
    check_declared(changes.get("options", []))
    product.options = changes.get("options", product.options)
    if not {"options", "variants", *ARTICLE} & set(changes):
        return
    if "variants" in changes:
        variants = [dict(wish) for wish in changes["variants"]]
    else:
        variants = [{"id": variant.id} for variant in product.active_variants]
    # As for a new product, where every variant that is there already says its own price.
    spread(changes, variants, new=all("id" not in wish or "price" in wish for wish in variants))
    variant_service.merge(product, variants, actor, "stock set")


def _finish(product: Product) -> None:
    product.derive(product.variants)
    db.session.flush()
    _forget(product)


def _forget(product: Product) -> None:
    catalogue_cache.invalidate_product(product.id)
    catalogue_cache.invalidate_lists()
