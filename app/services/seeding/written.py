"""The hand-written part of the demo shop: categories, products, people."""

from datetime import datetime, timedelta
from itertools import product as combinations
from typing import Any

from sqlalchemy import select

from app.domain.text import make_slug, with_suffix
from app.extensions import db
from app.models import Address, Category, Product, User, Variant
from app.services.catalogue.bulk_catalogue import NewProduct, NewVariant, add_products
from app.services.seeding.content import minor, read

OPENING = "initial stock"
_STOCK_PATTERN = (7, 4, 10, 0, 6, 2)
"""Tenths of a product's stock that its variants have, in turn: some run low, some are sold out."""


def exists() -> bool:
    """Whether the demo shop exists already, or one of its names is taken."""
    catalogue, people = read("catalogue"), read("people")
    emails = [person["email"] for person in [*people["customers"], people["admin"]]]
    skus = [sku for product in catalogue["products"] for sku in _skus(product)]
    query = select(1).where(
        select(User.id).where(User.email_key.in_(emails)).exists()
        | select(Variant.id).where(Variant.sku.in_(skus), Variant.deleted_at.is_(None)).exists()
    )
    return db.session.scalar(query) is not None


def add_categories() -> dict[str, int]:
    """The ids of the demo categories by slug; a category that has the slug already is used as it is."""
    ids = {row.slug: row.id for row in db.session.execute(select(Category.slug, Category.id))}
    for position, entry in enumerate(read("catalogue")["categories"]):
        if entry["slug"] in ids:
            continue
        parent = entry.get("parent")
        row = Category(
            name=entry["name"],
            slug=entry["slug"],
            description=entry["description"],
            parent_id=ids[parent] if parent else None,
            position=position,
        )
        db.session.add(row)
        db.session.flush()
        ids[row.slug] = row.id
    return ids


def add_catalogue(currency: str, categories: dict[str, int], now: datetime) -> None:
    """All products with their opening stock; the newest is 70 days old."""
    slugs = set(db.session.scalars(select(Product.slug).where(Product.deleted_at.is_(None))))
    entries = read("catalogue")["products"]
    # Mixes the categories, so that the newest products are not all of one.
    by_age = sorted(range(len(entries)), key=lambda place: place * 37 % len(entries))
    products = [
        _new_product(
            entries[place],
            currency,
            categories,
            now - timedelta(days=200 - age, hours=place),
            slugs,
        )
        for age, place in enumerate(by_age)
    ]
    add_products(products, OPENING)


def add_people(customer_hash: str, admin_hash: str) -> None:
    """The demo logins, and customers who share the demo customer's password."""
    people = read("people")
    for person in people["customers"]:
        user = _user(person, customer_hash, "customer")
        db.session.add(user)
        db.session.flush()
        db.session.add(Address(user_id=user.id, **person["address"]))
    db.session.add(_user(people["admin"], admin_hash, "admin"))
    db.session.flush()


def _new_product(
    entry: dict[str, Any],
    currency: str,
    categories: dict[str, int],
    created_at: datetime,
    used_slugs: set[str],
) -> NewProduct:
    options = entry.get("options", {})
    slug = make_slug(entry["name"], "product")
    was = entry.get("was")
    return NewProduct(
        name=entry["name"],
        slug=with_suffix(slug) if slug in used_slugs else slug,
        variants=_variants(entry, currency),
        created_at=created_at,
        description=entry["text"],
        category_id=categories[entry["in"]],
        compare_at_price=minor(was, currency) if was else None,
        options=[{"name": name, "values": values} for name, values in options.items()],
    )


def _variants(entry: dict[str, Any], currency: str) -> list[NewVariant]:
    options, extra = entry.get("options", {}), entry.get("extra", {})
    base = minor(entry["price"], currency)
    variants = []
    for place, values in enumerate(combinations(*options.values())):
        surcharge = sum(minor(extra[value], currency) for value in values if value in extra)
        share = _STOCK_PATTERN[(place * 5 + len(entry["name"])) % 6] if options else 10
        variants.append(
            NewVariant(
                sku=_sku(entry["sku"], values),
                price=base + surcharge,
                stock=entry["stock"] * share // 10,
                options=dict(zip(options, values, strict=True)),
            )
        )
    return variants


def _skus(entry: dict[str, Any]) -> list[str]:
    combined = combinations(*entry.get("options", {}).values())
    return [_sku(entry["sku"], values) for values in combined]


def _sku(start: str, values: tuple[str, ...]) -> str:
    parts = [value.upper().replace(" ", "").replace(".", "").replace("/", "") for value in values]
    return "-".join([start, *parts])


def _user(person: dict[str, Any], password_hash: str, role: str) -> User:
    return User(
        email=person["email"],
        email_key=person["email"],
        password_hash=password_hash,
        first_name=person["first_name"],
        last_name=person["last_name"],
        role=role,
    )
