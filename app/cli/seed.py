"""The demo shop."""

import sys
from collections.abc import Callable
from datetime import datetime
from typing import cast

import click
from flask import current_app

from app.cli.shell import command, progress
from app.config import Production
from app.db.database_roles import NotOwner, as_owner
from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.people.actor import SYSTEM
from app.services.accounts import password_hashing
from app.services.operations import store_service
from app.services.operations.store_service import SettingsInput
from app.services.seeding import demo_prices, generated, seed_service, written
from app.services.seeding import orders as past_orders

MAX_ROWS = 1_000_000
Fill = Callable[[int, str, int, datetime], int]


@command("seed-db")
@click.option(
    "--products",
    type=click.IntRange(0, MAX_ROWS),
    default=0,
    metavar="N",
    help="Make up more products, until there are N.",
)
@click.option(
    "--orders",
    type=click.IntRange(0, MAX_ROWS),
    default=0,
    metavar="N",
    help="Make up more past orders, until there are N.",
)
@click.option("--random-seed", type=int, default=1, help="For another choice of made-up things.")
@click.option("--reset", is_flag=True, help="Empty all tables first, the ledger too.")
@click.option("--yes", is_flag=True, help="Do not ask before --reset.")
@click.option(
    "--plain",
    is_flag=True,
    help="Leave the settings as they are, and add no taxes, shipping or promotions.",
)
@click.option(
    "--in-production",
    is_flag=True,
    help="Allow it in production, although everybody knows the demo passwords.",
)
def seed_db(
    products: int,
    orders: int,
    random_seed: int,
    reset: bool,
    yes: bool,
    plain: bool,
    in_production: bool,
) -> None:
    """Fill the shop with a demo catalogue, customers and past orders, once.

    Run again, it changes nothing, except to make up what is missing to N products and N orders.
    """  # fmt: skip
    if current_app.config["NAME"] == Production.NAME and not in_production:
        raise click.ClickException(
            "Demo logins are no good in production. --in-production if that is meant."
        )
    if reset:
        _empty(yes)
    is_new = _create_demo(random_seed, plain)
    added = _fill("products", products, generated.count, seed_service.add_products, random_seed)
    added += _fill("orders", orders, past_orders.count, seed_service.add_orders, random_seed)
    if is_new or added:
        in_transaction(seed_service.update_statistics)
    _report(is_new or added > 0)


def is_terminal() -> bool:
    """Whether a person can answer questions."""
    return sys.stdin.isatty()


def _empty(yes: bool) -> None:
    if not yes and not is_terminal():
        raise click.UsageError("--reset deletes everything: add --yes.")
    if not yes:
        click.confirm("Delete all products, orders, customers and the ledger?", abort=True)
    try:
        with as_owner():
            in_transaction(seed_service.empty)
    except NotOwner:
        raise click.ClickException(
            "Only the owner of the tables may empty them: set DATABASE_OWNER_URL."
        ) from None


def _create_demo(random_seed: int, plain: bool) -> bool:
    if written.exists():
        return False
    currency = current_app.config["STORE_CURRENCY"]
    customer = password_hashing.hash_password(seed_service.DEMO_CUSTOMER[1], is_patient=True)
    admin = password_hashing.hash_password(seed_service.DEMO_ADMIN[1], is_patient=True)

    def create() -> bool:
        is_new = seed_service.create_demo(currency, customer, admin, random_seed)
        if is_new and not plain:
            _set_up_seller()
            _set_up_prices(currency)
        return is_new

    return in_transaction(create)


def _set_up_seller() -> None:
    """Store the demo shop's settings, unless somebody has set up the shop already."""
    if store_service.settings().version == 1:
        store_service.update_settings(SYSTEM, cast(SettingsInput, seed_service.DEMO_SELLER))


def _set_up_prices(currency: str) -> None:
    """Add the demo shop's taxes, shipping and code, unless somebody has begun to set up such things."""
    if not demo_prices.exist():
        demo_prices.add(currency)


def _fill(what: str, target: int, count: Callable[[], int], fill: Fill, seed: int) -> int:
    """Fill up to the target, a batch a transaction, and return how many rows were added."""
    if not target or (before := count()) >= target:
        return 0
    currency, now, total = current_app.config["STORE_CURRENCY"], utc_now(), before
    with progress(target - before, what) as advance:
        while total < target:
            previous, total = total, in_transaction(lambda: fill(target, currency, seed, now))
            advance(total - previous)
            if total == previous:
                break  # nothing is for sale, so nothing can be ordered
    return total - before


def _report(changed: bool) -> None:
    figures = f"{generated.count()} products, {past_orders.count()} orders"
    click.echo(
        f"seed-db: {figures}." if changed else f"seed-db: nothing to do, there are {figures}."
    )
    for what, (email, password) in (
        ("customer", seed_service.DEMO_CUSTOMER),
        ("admin", seed_service.DEMO_ADMIN),
    ):
        click.echo(f"  demo {what}: {email} / {password}")
    if demo_prices.has_code():
        click.echo(f"  demo code: {demo_prices.CODE}")
