"""The catalogue's cache: ready answers, and every key that they are kept under.

An answer about a product is shared by all workers, in Redis, and never older than the last write.
It carries tokens: random words that were read before its data was. Forgetting sets new tokens,
after the commit, so whatever was read before that no longer matches, whichever worker puts it in
and however late. Tokens are never counters, and an evicted one is made anew: an old entry cannot
come to match again.

Lists may trail by a second, so each process keeps those that it just made, and looking one up
costs no round trip. Edits show at once in the lists of their own process.
"""

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from flask_caching.backends.nullcache import NullCache
from sqlalchemy.orm import SessionTransaction

from app.db import replica
from app.db.unit_of_work import after_commit
from app.extensions import cache, db
from app.observability import metrics
from app.services.cache import shared_cache
from app.services.cache.local_cache import Gates, LocalCache
from app.services.cache.shared_cache import EVERYTHING, Found

PRODUCT_SECONDS = 20
LIST_SECONDS = 0.9
ALL_LISTS_BYTES = 8 * 1024 * 1024
MAX_LIST_BYTES = 128 * 1024
MANY_PRODUCTS = 500
"""Where more than this are forgotten at once, everything is."""
MAX_HINTS = 10_000
WAIT_SECONDS = 1.0
"""How long a request waits for another that makes the same answer."""


class Answer(NamedTuple):
    """A finished answer: the bytes of its body, its ETag (unquoted), and a list's figures."""

    body: bytes
    etag: str
    facts: tuple[Any, ...] = ()


class ProductAnswer(NamedTuple):
    """A finished answer about a product, and the two names that the product has."""

    answer: Answer
    product_id: int
    slug: str


# Which product had a slug when last seen: only a guess at where to look, never trusted.
_hints: dict[str, int] = {}
_gates = Gates(WAIT_SECONDS)


# --- reading ---


def product(address: int | str, build: Callable[[], ProductAnswer]) -> Answer:
    """The public answer about a product, from the cache or else from `build`.

    A hit costs one round trip. Without Redis nothing is kept.
    """
    product_id = address if isinstance(address, int) else _hints.get(address)
    if product_id is None or not shared_cache.is_there():
        return _remember(address, build())
    found = _look_up(product_id)
    ready = _ready(address, found)
    if ready is None and found is None:
        metrics.cache_looked_up("product", "away")
        return _remember(address, build())
    if ready is None:
        with _gates.alone(product_id):
            found = _look_up(product_id)
            ready = _ready(address, found)
            if ready is None:
                return _made(address, product_id, found, build)
    metrics.cache_looked_up("product", "hit")
    return ready


def listed(name: str, question: Hashable, build: Callable[[], Answer]) -> Answer:
    """The public answer to a list's `question` (its arguments), at most LIST_SECONDS old: what
    a replica trails by is part of its age."""
    lists, key = _lists(), (name, question)
    ready: Answer | None = lists.get(key)
    if ready is None:
        with _gates.alone(key):
            ready = lists.get(key)
            if ready is None:
                return _listed_anew(lists, name, key, build)
    metrics.cache_looked_up(name, "hit")
    return ready


def etag_of(body: bytes) -> str:
    """An ETag of these bytes."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def _look_up(product_id: int) -> Found | None:
    return shared_cache.look_up(f"product:{product_id}", _names(product_id))


def _ready(address: int | str, found: Found | None) -> Answer | None:
    """The answer that was found, if it is true and the product has this address."""
    if found is None or found.entry is None or None in found.tokens:
        return None
    head, _, body = found.entry.partition(b"\n")
    made_under, _, facts = head.partition(b" ")
    if made_under != _joined(found.tokens):
        return None
    id_, slug, etag = facts.decode().split(" ")
    return Answer(body, etag) if str(address) in (id_, slug) else None


def _made(
    address: int | str, product_id: int, found: Found | None, build: Callable[[], ProductAnswer]
) -> Answer:
    metrics.cache_looked_up("product", "miss")
    tokens = shared_cache.with_tokens(_names(product_id), found) if found else None
    made = build()
    if tokens and made.product_id == product_id:
        facts = f"{made.product_id} {made.slug} {made.answer.etag}".encode()
        entry = b"%b %b\n%b" % (_joined(tokens), facts, made.answer.body)
        shared_cache.keep(f"product:{product_id}", entry, PRODUCT_SECONDS)
    return _remember(address, made)


def _joined(tokens: tuple[bytes | None, ...]) -> bytes:
    return b"-".join(token for token in tokens if token)


def _remember(address: int | str, made: ProductAnswer) -> Answer:
    if isinstance(address, str):
        if len(_hints) >= MAX_HINTS:
            _hints.clear()
        _hints[address] = made.product_id
    return made.answer


def _listed_anew(
    lists: LocalCache, name: str, key: Hashable, build: Callable[[], Answer]
) -> Answer:
    metrics.cache_looked_up(name, "miss")
    began = lists.begin()
    made, shown = replica.read(build, lists.cleared)
    if len(made.body) <= MAX_LIST_BYTES and not isinstance(cache.cache, NullCache):
        size = len(made.body) + len(repr(key))  # anybody may ask long questions
        lists.put(key, made, size, began._replace(at=min(began.at, shown)))
    return made


# Of each app in this process; mostly there is one.
_of_apps: "WeakKeyDictionary[Any, LocalCache]" = WeakKeyDictionary()


def _lists() -> LocalCache:
    backend: Any = cache.cache
    lists = _of_apps.get(backend)
    return lists or _of_apps.setdefault(backend, LocalCache(LIST_SECONDS, ALL_LISTS_BYTES))


# --- forgetting ---


@dataclass
class Stale:
    """What one transaction makes untrue."""

    transaction: SessionTransaction | None
    products: set[int] = field(default_factory=set)
    lists: bool = False
    everything: bool = False

    def forget(self) -> None:
        """Set new tokens for all of it, in one round trip."""
        if self.lists or self.everything:
            _lists().clear()
        if not shared_cache.is_there():
            return
        if self.everything or len(self.products) > MANY_PRODUCTS:
            shared_cache.renew({EVERYTHING})
        else:
            shared_cache.renew({_product_token(id_) for id_ in self.products})


def forget_product(product_id: int) -> None:
    """Once the transaction stands, no reader gets an older answer about this product.

    Lists may go on showing it as it was, for less than a second.
    """
    _stale().products.add(product_id)


def forget_lists() -> None:
    """Once the transaction stands, lists of this process show it at once."""
    _stale().lists = True


def forget_catalogue() -> None:
    """Once the transaction stands, no reader gets an older answer about anything."""
    _stale().everything = True


def _stale() -> Stale:
    # Another try of the same work runs in another transaction, and begins with nothing collected.
    transaction = db.session().get_transaction()
    kept: Stale | None = db.session.info.get("stale")
    if kept is None or kept.transaction is not transaction:
        kept = db.session.info["stale"] = Stale(transaction)
        after_commit(kept.forget)
    return kept


def _names(product_id: int) -> tuple[str, str]:
    return _product_token(product_id), EVERYTHING


def _product_token(product_id: int) -> str:
    return f"token:product:{product_id}"
