"""The words by which staff find orders. `checkout_service` stores them with a new order."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from sqlalchemy import func, select

from app.db.bulk import among, update_rows
from app.domain.word_search import stored_words
from app.extensions import db
from app.models import Order, OrderLine, User

SEARCHED_FIELDS = ("name", "line1", "line2", "postal_code", "city", "region")


class Article(NamedTuple):
    """What a line contributes to the words of its order."""

    name: str
    sku: str


def words_of(
    number: str,
    address: Mapping[str, str] | None,
    customer: str,
    articles: Iterable[Article],
) -> str:
    """The words of an order: number, names, address, and the names and SKUs of its articles.

    `customer` is the name of the account at the time of the order.
    """
    person = address or {}
    texts = (
        *(person.get(name) or "" for name in SEARCHED_FIELDS),
        customer,
    )
    things = chain([number], *articles)
    return stored_words(things, texts, person.get("phone") or "")


def renew(ids: Sequence[int]) -> None:
    """Derive the words of these orders anew from what they hold now; the caller has locked them."""
    name = func.coalesce(User.first_name + " " + User.last_name, "")
    query = (
        select(Order.id, Order.updated_at, Order.number, Order.shipping_address, name)
        .outerjoin(User, User.id == Order.user_id)
        .where(among(Order.id, ids))
    )
    articles = _articles_of(ids)
    rows = [
        (id_, words_of(number, address, customer, articles[id_]), updated_at)
        for id_, updated_at, number, address, customer in db.session.execute(query)
    ]
    update_rows(Order, ("lookup_words", "updated_at"), rows)


def _articles_of(ids: Sequence[int]) -> dict[int, list[Article]]:
    articles: dict[int, list[Article]] = defaultdict(list)
    query = select(OrderLine.order_id, OrderLine.name, OrderLine.sku)
    rows = db.session.execute(query.where(among(OrderLine.order_id, ids)).order_by(OrderLine.id))
    for order_id, *article in rows:
        articles[order_id].append(Article._make(article))
    return articles
