"""How the shop grows: the same questions to a small shop and to a big one, in turns.

They are asked of the shop without its cache, so that a first page that is kept ready does not hide
what making it costs. Each is asked in many ways, of products, words and places by chance.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote

from sqlalchemy import func, select

from app.db.paging import encode_cursor
from app.domain.text import words
from app.extensions import db
from app.models import Category, Order, Product, User
from app.services.catalogue.product_queries import SORT_KEYS
from app.services.seeding.seed_service import DEMO_ADMIN
from tests.performance.http import expect, insist, request
from tests.performance.load import Operation
from tests.performance.measure import Figures, one_round
from tests.performance.people import in_shop, token_of
from tests.performance.setting import Setting
from tests.performance.workloads import Workload
from tests.performance.writes import Steps

ASKED = 200
"""Different requests of a kind."""
COMMON = 10
"""Common words, and as many beginnings of each length."""
CONNECTIONS = 2
"""As many as there are cores, so that an answer waits for nothing but its own making."""
SORTS = ("-created_at", "price", "-price", "name")
PRODUCTS = "/api/products?per_page=20"


class Question(NamedTuple):
    """One request of a kind, and whose token goes with it."""

    path: str
    token: str = ""


def measure_scale(
    small: Setting, big: Setting, rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    """For each kind of question the 95th percentile of both shops, and their ratio."""
    asked = {"small": (small, _workloads(small)), "big": (big, _workloads(big))}
    names = [workload.name for workload in asked["big"][1]]
    figures = {name: {size: Figures() for size in asked} for name in names}
    for _ in range(rounds):
        for place, name in enumerate(names):
            for size, (setting, workloads) in asked.items():
                measured = one_round(setting, workloads[place], seconds)
                figures[name][size].rounds.append(measured)
    return {name: _row(**both) for name, both in figures.items()}


def _row(small: Figures, big: Figures) -> dict[str, float]:
    row = {"ratio": round(big.latency_ms(95) / small.latency_ms(95), 2)}
    for size, one in (("small", small), ("big", big)):
        row[f"{size}_p50_ms"] = round(one.latency_ms(50), 2)
        row[f"{size}_p95_ms"] = round(one.latency_ms(95), 2)
        row[f"{size}_cpu_ms"] = round(one.cpu_ms(), 2)
    return row


def _workloads(setting: Setting) -> list[Workload]:
    dice = Random(1)
    with in_shop(setting.environ) as app, app.app_context():
        asked = {name: make(dice) for name, make in _QUESTIONS.items()}
    return [
        Workload(name, "uncached", _one_of(questions, dice), connections=CONNECTIONS)
        for name, questions in asked.items()
    ]


def _one_of(questions: Sequence[Question], dice: Random) -> Operation:
    requests = [
        (
            request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {}),
            "cursor=" in path or path.startswith("/api/products/"),
            path,
        )
        for path, token in questions
    ]

    def steps() -> Steps:
        asked, may_be_empty, path = dice.choice(requests)
        answer = yield asked
        if path.startswith("/api"):
            view = expect(answer, 200)
            insist(may_be_empty or len(view["items"]) > 0, f"nothing found: {path}")
        else:
            insist(answer.status == 200, f"{answer.status}: {path}")

    return steps


def _lists(dice: Random) -> list[Question]:
    return [Question(f"{PRODUCTS}&sort={dice.choice(SORTS)}") for _ in range(ASKED)]


def _deep_lists(dice: Random) -> list[Question]:
    questions = []
    for product in _some_products(dice):
        sort = dice.choice(SORTS)
        cursor = encode_cursor(product, SORT_KEYS[sort])
        questions.append(Question(f"{PRODUCTS}&sort={sort}&cursor={cursor}"))
    return questions


def _categories(dice: Random) -> list[Question]:
    slugs = list(
        db.session.scalars(
            select(Category.slug).where(Category.id.in_(select(Product.category_id).distinct()))
        )
    )
    return [Question(f"{PRODUCTS}&category={dice.choice(slugs)}") for _ in range(ASKED)]


def _details(dice: Random) -> list[Question]:
    return [Question(f"/api/products/{product.slug}") for product in _some_products(dice)]


def _searches(dice: Random) -> list[Question]:
    return [Question(f"{PRODUCTS}&q={quote(terms)}") for terms in _words(dice)]


def _common_searches(dice: Random) -> list[Question]:
    """The commonest words, and the commonest beginnings of one and two letters: as a search box asks."""
    texts = [f"{product.name} {product.description}" for product in _some_products(dice)]
    terms = []
    for length in (1, 2, None):
        counter = Counter(
            term for text in texts for term in {word[:length] for word in words(text)}
        )
        terms += [term for term, _number in counter.most_common(COMMON)]
    return [
        Question(f"{PRODUCTS}&q={quote(term)}&sort={sort}")
        for term in terms
        for sort in ("relevance", "-created_at")
    ]


def _facets(dice: Random) -> list[Question]:
    return [Question(f"/search?q={quote(terms)}") for terms in _words(dice)]


def _histories(dice: Random) -> list[Question]:
    query = select(User.id).where(select(Order.id).where(Order.user_id == User.id).exists())
    tokens = [token_of(user_id) for user_id in db.session.scalars(query)]
    return [Question("/api/orders", token) for token in tokens]


def _order_searches(dice: Random) -> list[Question]:
    """By a whole number, by a part of one, and by a part of an email."""
    admin = db.session.scalars(select(User.id).where(User.email_key == DEMO_ADMIN[0])).one()
    token, questions = token_of(admin), []
    for order in _some(Order, dice):
        half = len(order.number) // 2
        email = (order.email or "").partition("@")[0]
        part = dice.choice([order.number, order.number[:half], email])
        questions.append(Question(f"/api/orders?q={quote(part)}", token))
    return questions


def _words(dice: Random) -> list[str]:
    """One to three words of a product's name, the last one perhaps unfinished."""
    found = []
    for product in _some_products(dice):
        long = [word for word in product.name.replace(",", "").split() if len(word) > 2]
        chosen = dice.sample(long, min(dice.randint(1, 3), len(long)))
        if dice.random() < 0.3:
            chosen[-1] = chosen[-1][:4]
        found.append(" ".join(chosen))
    return found


def _some_products(dice: Random) -> list[Any]:
    return [row for row in _some(Product, dice) if row.is_active and row.deleted_at is None]


def _some(model: Any, dice: Random) -> list[Any]:
    """Rows from all over a table, found by their ids."""
    highest = db.session.scalar(select(func.max(model.id))) or 0
    ids = dice.sample(range(1, highest + 1), min(ASKED, highest))
    return list(db.session.scalars(select(model).where(model.id.in_(ids)).order_by(model.id)))


_QUESTIONS: dict[str, Callable[[Random], list[Question]]] = {
    "list": _lists,
    "list, deep by cursor": _deep_lists,
    "category": _categories,
    "detail": _details,
    "search": _searches,
    "search, beginnings and common words": _common_searches,
    "facets": _facets,
    "order history": _histories,
    "admin's order search": _order_searches,
}
