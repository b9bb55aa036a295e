"""Rows for the tests, made as the shop makes them: derived columns set, stock in the ledger.

Call them inside an application context; each commits, and returns rows that can be read anywhere.
"""

import itertools
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from app.db.unit_of_work import in_transaction
from app.domain.catalogue.variant_rules import options_key
from app.domain.people.actor import ANONYMOUS, SYSTEM, Actor
from app.extensions import bcrypt, db
from app.models import Base, Category, ImportJob, Product, User, Variant
from app.services import user_service
from app.services.accounts import session_service
from app.services.imports import import_jobs
from app.services.inventory import inventory_service
from app.web.callers.tokens import token_pair

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


def user(**facts: Any) -> User:
    """A customer with PASSWORD, unless `facts` say otherwise."""
    number = next(_numbers)
    email = facts.pop("email", f"person{number}@example.com")
    email_key = facts.pop("email_key", email.lower())
    password = facts.pop("password", PASSWORD)
    names = {"first_name": "Pat", "last_name": f"Number {number}", **facts}
    row = User(
        email=email,
        email_key=email_key,
        password_hash=bcrypt.generate_password_hash(password).decode(),
        lookup_words=user_service.name_words(names["first_name"], names["last_name"]),
        **names,
    )
    return _saved(row)


def user_with_token(**facts: Any) -> tuple[User, str]:
    """A user, and the access token of a session of theirs."""
    row = user(**facts)
    session = in_transaction(lambda: session_service.begin(row.id, timedelta(days=1)))
    return row, token_pair(session)["access_token"]


def category(**facts: Any) -> Category:
    """A category at the top of the tree."""
    number = next(_numbers)
    return _saved(Category(**{"name": f"Category {number}", "slug": f"category-{number}", **facts}))


def product(
    price: int = 1000, stock: int = 10, sku: str | None = None, weight: int = 0, **facts: Any
) -> Product:
    """A simple product: one variant, `price` in minor units, `stock` on hand, `weight` in grams."""
    variant = {"price": price, "stock": stock, "sku": sku, "weight": weight}
    return product_with_variants([variant], **facts)


def product_with_variants(variants: list[dict[str, Any]], **facts: Any) -> Product:
    """A product with these variants: `price`, `stock`, `sku`, `options`, `is_active`."""
    number = next(_numbers)
    named = {"name": f"Product {number}", "slug": f"product-{number}", "description": ""}
    row = Product(**{**named, **facts})
    row.variants = [_variant(number, place, **wanted) for place, wanted in enumerate(variants)]
    row.derive(row.variants)

    def save() -> None:
        db.session.add(row)
        db.session.flush()
        for made, wanted in zip(row.variants, variants, strict=True):
            inventory_service.adjust(made, wanted.get("stock", 10), "initial stock", SYSTEM)
        db.session.flush()

    in_transaction(save)
    return row


def import_job(data: bytes, by: Actor = ANONYMOUS, name: str = "list.csv") -> ImportJob:
    """A product list that is uploaded and not checked yet."""
    products, source = import_jobs.read(data, "USD")
    return in_transaction(lambda: import_jobs.begin(by, name, data, products, source))


def count(table: type[Base]) -> int:
    """How many rows a table has."""
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def reload(row: Any) -> Any:
    """The row as the database has it now."""
    db.session.rollback()
    return db.session.get(type(row), row.id, populate_existing=True)


def _variant(number: int, place: int, **wanted: Any) -> Variant:
    options = wanted.get("options", {})
    return Variant(
        sku=wanted.get("sku") or f"SKU-{number}-{place}",
        price=wanted.get("price", 1000),
        on_hand=0,
        allocated=0,
        weight=wanted.get("weight", 0),
        options=options,
        options_key=options_key(options),
        is_active=wanted.get("is_active", True),
        position=place,
    )


def _saved(row: Any) -> Any:
    in_transaction(lambda: (db.session.add(row), db.session.flush()))
    return row
