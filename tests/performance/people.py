"""Customers for the benchmark, made by the shop itself, on its own database."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from random import Random

from flask import Flask
from sqlalchemy import select

from app import create_app
from app.config import Config, load
from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import Product, Variant
from app.services.accounts import session_service
from app.web.callers.tokens import token_pair
from tests import factories
from tests.performance.writes import LINES, Customer

CUSTOMERS = 32
HASTY = {"BCRYPT_LOG_ROUNDS": "4", "ACCESS_TOKEN_MINUTES": "600", "LOG_LEVEL": "ERROR"}


@contextmanager
def in_shop(
    environ: Mapping[str, str], make: Callable[[Config], Flask] = create_app
) -> Iterator[Flask]:
    """The shop in this process, for a moment.

    Send it requests outside of its context only: inside they would all share one `g`.
    """
    app = make(load({**environ, **HASTY}))
    yield app
    with app.app_context():
        db.engine.dispose()


def make_customers(
    app: Flask, variants: Sequence[int], dice: Random
) -> tuple[list[Customer], list[tuple[str, str]]]:
    """Customers who are signed in and have full carts, and the emails and passwords of as many
    whose passwords are hashed in no time, so that it is seen what else a sign-in costs."""
    with app.app_context():
        people = [factories.user() for _ in range(CUSTOMERS)]
        tokens = [token_of(person.id) for person in people]
    customers = [Customer(token, dice.sample(variants, LINES)) for token in tokens]
    client = app.test_client()
    for customer in customers:
        headers = {"Authorization": f"Bearer {customer.token}"}
        for variant in customer.variants:
            client.post("/api/cart/items", json={"variant_id": variant}, headers=headers)
    return customers, [(person.email or "", factories.PASSWORD) for person in people]


def token_of(user_id: int) -> str:
    """The access token of a new session of somebody's."""
    session = in_transaction(lambda: session_service.begin(user_id, timedelta(days=1)))
    return str(token_pair(session)["access_token"])


def articles() -> list[int]:
    """Everything that can be bought, by its variant's id."""
    query = (
        select(Variant.id)
        .join(Product, Product.id == Variant.product_id)
        .where(Variant.is_active, Variant.deleted_at.is_(None))
        .where(Product.is_active, Product.deleted_at.is_(None))
        .order_by(Variant.id)
    )
    return list(db.session.scalars(query))
