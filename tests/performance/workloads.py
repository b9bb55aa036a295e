"""What is measured: the shop's work, and the limits made for the same work."""

from random import Random
from typing import NamedTuple

from sqlalchemy import select

from app.extensions import db
from app.models import Product
from app.services.seeding.seed_service import DEMO_CUSTOMER
from tests.performance import hello, reads, writes
from tests.performance.load import Operation
from tests.performance.people import articles, in_shop, make_customers
from tests.performance.setting import Setting

SEARCHED = "oak"
POPULAR = 50
"""Products that are looked at: few enough for all of them to be in the cache after a moment."""


class Workload(NamedTuple):
    """Something to measure: what is done to which server."""

    name: str
    server: str
    operation: Operation
    is_counted: bool = True
    """Whether its statements are counted, where it is the shop's."""
    in_a_hurry: bool = True
    """Whether it is measured with --quick, too."""
    connections: int = 8
    warming: int = 0
    """Operations that each measurement is preceded by, at least."""


class Material(NamedTuple):
    """What the operations are about."""

    newest: list[tuple[int, str]]
    """Ids and slugs of all products, in the order of the list."""
    found: list[int]
    """Ids of the first twenty that a search finds."""
    variants: list[int]
    customers: list[writes.Customer]
    people: list[tuple[str, str]]


def workloads(setting: Setting, dice: Random) -> list[Workload]:
    """All of them; what is compared stands side by side."""
    material = _material(setting, dice)
    return [
        Workload("hello", "hello", reads.hello()),
        *_reads(material, dice),
        *_writes(material, dice),
        *_logins(material, dice),
    ]


def _reads(material: Material, dice: Random) -> list[Workload]:
    ids = [id_ for id_, _slug in material.newest[:20]]
    products = dice.sample(material.newest, min(POPULAR, len(material.newest)))
    detail, detail_twin = (
        reads.popular([(f"{prefix}/{slug}", id_) for id_, slug in products], dice)
        for prefix in ("/api/products", "/products")
    )
    listing = reads.page("/api/products?page=1&per_page=20", ids)
    search = reads.page(f"/api/products?q={SEARCHED}&page=1&per_page=20", material.found)
    listings = _spellings("/api/products?per_page=20", "-created_at", ids, dice)
    searches = _spellings(f"/api/products?q={SEARCHED}", "relevance", material.found, dice)
    return [
        Workload("list", "shop", listing),
        Workload("list_uncached", "uncached", listings),
        Workload("list_twin", "twins", reads.page("/products", ids)),
        Workload("list_limited", "limited", listing, in_a_hurry=False),
        Workload("detail", "shop", detail, warming=6 * POPULAR),
        Workload("detail_uncached", "uncached", detail),
        Workload("detail_twin", "twins", detail_twin),
        Workload("detail_limited", "limited", detail, in_a_hurry=False, warming=6 * POPULAR),
        Workload("search", "shop", search),
        Workload("search_uncached", "uncached", searches),
    ]


def _spellings(path: str, sort: str, ids: list[int], dice: Random) -> Operation:
    """One question in several spellings: the shop lets whoever asks the very same wait for the
    first one's answer, which would not be work."""
    endings = ("", "&page=1", f"&sort={sort}", f"&sort={sort}&page=1")
    return reads.any_of([reads.page(path + ending, ids) for ending in endings], dice)


def _writes(material: Material, dice: Random) -> list[Workload]:
    buy = writes.purchase(material.variants, dice)
    twin = writes.purchase(material.variants, dice, writes.TWIN)
    add = writes.add_to_cart(material.variants, material.customers, dice)
    return [
        Workload("add_to_cart", "shop", add),
        Workload("add_to_cart_unprepared", "unprepared", add, in_a_hurry=False),
        Workload("purchase", "shop", buy),
        Workload("purchase_unprepared", "unprepared", buy, in_a_hurry=False),
        Workload("purchase_twin", "twins", twin),
    ]


def _logins(material: Material, dice: Random) -> list[Workload]:
    cheap = writes.login(material.people, dice)
    return [
        Workload(
            "login", "shop", writes.login([DEMO_CUSTOMER], dice), is_counted=False, connections=2
        ),
        Workload(
            "login_hash",
            "hello",
            writes.check_password(12, hello.PASSWORD),
            in_a_hurry=False,
            connections=2,
        ),
        Workload("login_cheap", "cheap_hashes", cheap),
        Workload("login_cheap_hash", "hello", writes.check_password(4, hello.PASSWORD)),
    ]


def _material(setting: Setting, dice: Random) -> Material:
    with in_shop(setting.environ) as app:
        with app.app_context():
            newest, variants = _newest(), articles()
        # What a search finds is the tests' business; that it goes on finding it is ours.
        shown = app.test_client().get(f"/api/products?q={SEARCHED}&per_page=20").get_json()
        found = [item["id"] for item in shown["items"]]
        return Material(newest, found, variants, *make_customers(app, variants, dice))


def _newest() -> list[tuple[int, str]]:
    query = (
        select(Product.id, Product.slug)
        .where(Product.deleted_at.is_(None), Product.is_active)
        .order_by(Product.created_at.desc(), Product.id)
    )
    return [(row.id, row.slug) for row in db.session.execute(query)]
