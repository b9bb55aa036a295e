"""The goods and the staff that a run starts with, made through the shop's own doors."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.reliability.facts import WorldFacts
from tests.reliability.history import History
from tests.reliability.setting import Setting
from tests.reliability.staff import Staff

PLACES = 2
"""Of US dollars, the store's currency if nothing else is said."""
REMEMBERED = 200
"""Orders that staff have in mind to move along."""


@dataclass(frozen=True)
class Article:
    """A simple product, and its one variant."""

    product_id: int
    variant_id: int


@dataclass
class World:
    """What is for sale, who works here, and which orders staff know of."""

    hot: Sequence[Article]
    """Few articles with little stock, which everybody wants."""
    plenty: Sequence[Article]
    staff: Sequence[Staff]
    facts: WorldFacts
    placed: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Numbers of orders that were acknowledged lately."""

    @property
    def articles(self) -> list[Article]:
        """All that is for sale."""
        return [*self.hot, *self.plenty]


def build(
    setting: Setting,
    history: History,
    rng: random.Random,
    hot: int = 4,
    plenty: int = 12,
    staff: int = 4,
) -> World:
    """Open a shop with these many articles and admins. Nothing of this enters the history."""
    facts = WorldFacts(exponent=PLACES)
    unwritten = History()
    owner = hire_owner(setting, unwritten, rng)
    articles = [
        make_article(
            owner, facts, f"Thing {index}", _stock(rng, index < hot), rng.randint(100, 9999)
        )
        for index in range(hot + plenty)
    ]
    admins = [_admin(owner, index, rng) for index in range(staff)]
    for admin in admins:
        facts.users[admin.label] = admin.learn_id()
        admin.history = history
    owner.close()
    return World(articles[:hot], articles[hot:], admins, facts)


def _stock(rng: random.Random, is_hot: bool) -> int:
    return rng.randint(5, 30) if is_hot else 5_000


def hire_owner(setting: Setting, history: History, rng: random.Random) -> Staff:
    """The admin whom every shop starts with, signed in."""
    owner = Staff("owner", setting, history, rng)
    owner.sign_in()
    return owner


def make_article(owner: Staff, facts: WorldFacts, name: str, stock: int, price: int) -> Article:
    """Something new to sell, of which the facts know from now on."""
    body = {"name": name, "stock": stock, "price": f"{price / 10**PLACES:.{PLACES}f}"}
    made = owner.insist(lambda: owner.send("make_product", "POST", "/api/products", body)).answer
    variant_id = made["variants"][0]["id"]
    facts.on_hand[variant_id], facts.prices[variant_id] = stock, price
    return Article(made["id"], variant_id)


def _admin(owner: Staff, index: int, rng: random.Random) -> Staff:
    """A colleague: an account like anybody's, which the owner makes an admin's."""
    admin = Staff(f"staff-{index}", owner.setting, owner.history, random.Random(rng.random()))
    user_id = admin.register().answer["id"]
    owner.send("promote", "PATCH", f"/api/users/{user_id}", {"role": "admin"})
    admin.sign_in()
    return admin
