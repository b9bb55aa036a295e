"""The promotions that can apply to a cart, as the pricing engine takes them.

Only those are loaded that can apply: automatic ones whose articles meet those of the cart, and those of the
codes in it. So a thousand promotions and a million codes cost a cart nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Executable,
    and_,
    bindparam,
    exists,
    or_,
    select,
    union,
)

from app.db.prepared import prepared, run
from app.domain.clock import utc_now
from app.domain.people import emails
from app.domain.pricing import model as pricing
from app.extensions import db
from app.keyed_hashes import keyed_hashes
from app.models import (
    CartCode,
    Category,
    Promotion,
    PromotionArticle,
    PromotionCode,
    Redemption,
    User,
)
from app.services.pricing.setup import HAS_AUTOMATIC

CodeRefusal = Literal["code_unknown", "code_expired", "code_used_up"]


class Customer(NamedTuple):
    """Who orders: an account, an email address, or both; nobody is known before that."""

    user_id: int | None = None
    email: str | None = None

    @property
    def email_hashes(self) -> list[str]:
        """The keyed hashes under which uses of this address may be stored, the present one first."""
        if not self.email:
            return []
        return [digest.hex() for digest in keyed_hashes("redemption", emails.key(self.email))]


PromotionRow = Any
"""A `Promotion`, or a row of its columns."""


class CodeInCart(NamedTuple):
    """A code as it was entered, the promotion that it is for, and why it cannot be used at all."""

    code: str
    code_id: int | None
    promotion_id: int | None
    refusal: CodeRefusal | None


@dataclass(frozen=True)
class Rules:
    """What can apply to a cart."""

    promotions: Sequence[pricing.Promotion] = ()
    codes: Sequence[CodeInCart] = ()
    ancestors: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """Each category of the cart, with itself and all above it."""
    own_uses: Mapping[int, "OwnUses"] = field(default_factory=dict)
    """The customer's earlier uses of promotions that are limited for each customer."""


class OwnUses(NamedTuple):
    """How often a customer has used a promotion, and the numbers of these uses: those of the account, and
    those of the address of the order."""

    times: int = 0
    user_uses: frozenset[int] = pricing.NOTHING
    email_uses: frozenset[int] = pricing.NOTHING


class Cart(NamedTuple):
    """What of a cart decides which promotions are loaded."""

    id: int
    product_ids: Collection[int]
    category_ids: Collection[int]
    subtotal: int
    quantity: int


def rules_for(cart: Cart, customer: Customer, has_automatic: bool, locks: bool = False) -> Rules:
    """The promotions that can apply to a cart, and what is to be said about its codes.

    Args:
        has_automatic: whether the shop has promotions that need no code.
        customer: whose earlier uses count where uses are limited for each customer.
        locks: whether promotions and codes with limits are locked, in the order of their ids.
    """
    now = utc_now()
    entered = _entered_codes(cart.id)
    if not (entered or has_automatic):
        return Rules()
    ancestors = ancestors_of(cart.category_ids)
    ids = {row.promotion_id for row in entered if row.promotion_id is not None}
    rows = _promotions(cart, ids, ancestors, now)
    if locks:
        rows = _lock(rows)
        entered = _lock_codes(entered)
    own_uses = _own_uses(customer, rows)
    used_up = frozenset(
        id_ for id_, uses in own_uses.items() if uses.times >= (rows[id_].limit_per_customer or 0)
    )
    codes = [_judge(row, rows.get(row.promotion_id or 0), used_up, now) for row in entered]
    articles = _articles(rows)
    promotions = []
    for id_, row in rows.items():
        promotion = rule_of(row, articles[id_])
        if promotion is None:
            continue
        if not row.needs_code and id_ not in ids and not _is_used_up(row, used_up):
            promotions.append(promotion)
        promotions += [
            replace(promotion, code=code.code)
            for code in codes
            if code.promotion_id == id_ and code.refusal is None
        ]
    return Rules(promotions, codes, ancestors, own_uses)


class _EnteredCode(NamedTuple):
    code: str
    code_id: int | None
    promotion_id: int | None
    uses: int | None
    limit_total: int | None


def _list(name: str) -> BindParameter[Any]:
    return bindparam(name, expanding=True)


_MAY_APPLY = prepared(
    select(
        or_(
            HAS_AUTOMATIC,
            exists().where(CartCode.cart_id == bindparam("cart_id", type_=BigInteger())),
        )
    )
)


def may_apply(cart_id: int) -> bool:
    """Whether anything may be taken off a cart, or is to be said about its codes."""
    return bool(run(_MAY_APPLY, cart_id=cart_id).scalar())


_ENTERED_CODES = prepared(
    select(
        CartCode.code, PromotionCode.id, PromotionCode.promotion_id, PromotionCode.uses,
        PromotionCode.limit_total,
    )
    .outerjoin(PromotionCode, PromotionCode.code_key == CartCode.code_key)
    .where(CartCode.cart_id == bindparam("cart_id", type_=BigInteger()))
    .order_by(CartCode.id)
)  # fmt: skip


def _entered_codes(cart_id: int) -> list[_EnteredCode]:
    return [_EnteredCode._make(row) for row in run(_ENTERED_CODES, cart_id=cart_id)]


def _ancestors_statement() -> Executable:
    first = select(Category.id.label("leaf"), Category.id, Category.parent_id).where(
        Category.id.in_(_list("ids"))
    )
    tree = first.cte("tree", recursive=True)
    tree = tree.union(
        select(tree.c.leaf, Category.id, Category.parent_id).where(Category.id == tree.c.parent_id)
    )
    return select(tree.c.leaf, tree.c.id)


_ANCESTORS = _ancestors_statement()


def ancestors_of(category_ids: Collection[int]) -> Mapping[int, frozenset[int]]:
    """Each of these categories with itself and all above it."""
    if not category_ids:
        return {}
    above: dict[int, set[int]] = defaultdict(set)
    for row in run(_ANCESTORS, ids=list(category_ids)):
        above[row.leaf].add(row.id)
    return {leaf: frozenset(ids) for leaf, ids in above.items()}


def _promotions_statement() -> Executable:
    """Those of codes, and the automatic ones that can apply, by their ids in rising order.

    The candidates come from indexes: by the codes, by the articles of the cart, and those about everything.
    """
    ids, products, categories = map(_list, ("ids", "product_ids", "category_ids"))
    now = bindparam("now", type_=Promotion.starts_at.type)
    is_on = and_(
        Promotion.deleted_at.is_(None), Promotion.is_active, Promotion.needs_code.is_(False)
    )
    of_article = select(PromotionArticle.promotion_id).where(PromotionArticle.part == "buy")
    candidates = union(
        select(Promotion.id).where(is_on, Promotion.names_articles.is_(False)),
        select(Promotion.id).where(Promotion.id.in_(ids)),
        of_article.where(PromotionArticle.product_id.in_(products)),
        of_article.where(PromotionArticle.category_id.in_(categories)),
    )
    can_apply = and_(
        is_on,
        or_(Promotion.starts_at.is_(None), Promotion.starts_at <= now),
        or_(Promotion.ends_at.is_(None), Promotion.ends_at > now),
        Promotion.min_subtotal <= bindparam("subtotal", type_=BigInteger()),
        Promotion.min_quantity <= bindparam("quantity", type_=BigInteger()),
    )
    return (
        select(*_COLUMNS)
        .where(Promotion.id.in_(candidates), or_(Promotion.id.in_(ids), can_apply))
        .order_by(Promotion.id)
    )


_COLUMNS = (
    Promotion.id, Promotion.name, Promotion.kind, Promotion.value, Promotion.min_subtotal,
    Promotion.min_quantity, Promotion.buy_quantity, Promotion.get_quantity, Promotion.max_sets,
    Promotion.needs_code, Promotion.starts_at, Promotion.ends_at, Promotion.priority,
    Promotion.exclusive, Promotion.limit_total, Promotion.limit_per_customer, Promotion.is_active,
    Promotion.uses, Promotion.deleted_at,
)  # fmt: skip
_PROMOTIONS = _promotions_statement()
# The row's version is current also where its lock was waited for: it is read with the lock.
_LOCKED_PROMOTIONS = (
    select(*_COLUMNS)
    .where(Promotion.id.in_(_list("ids")))
    .order_by(Promotion.id)
    .with_for_update(key_share=True)
)


def _promotions(
    cart: Cart, ids: Collection[int], ancestors: Mapping[int, frozenset[int]], now: datetime
) -> dict[int, PromotionRow]:
    categories = frozenset[int]().union(*ancestors.values())
    rows = run(
        _PROMOTIONS,
        ids=list(ids),
        product_ids=list(cart.product_ids),
        category_ids=list(categories),
        now=now,
        subtotal=cart.subtotal,
        quantity=cart.quantity,
    )
    return {row.id: row for row in rows}


def _lock(rows: Mapping[int, PromotionRow]) -> dict[int, PromotionRow]:
    """The same as they are now, those with limits locked until the commit."""
    limited = [id_ for id_, row in rows.items() if _is_limited(row)]
    if not limited:
        return dict(rows)
    locked = {row.id: row for row in run(_LOCKED_PROMOTIONS, ids=limited)}
    return {id_: locked.get(id_, row) for id_, row in rows.items()}


_LOCKED_CODES = (
    select(PromotionCode.id, PromotionCode.uses, PromotionCode.limit_total)
    .where(PromotionCode.id.in_(_list("ids")))
    .order_by(PromotionCode.id)
    .with_for_update(key_share=True)
)


def _lock_codes(codes: Sequence[_EnteredCode]) -> list[_EnteredCode]:
    limited = [row.code_id for row in codes if row.code_id and row.limit_total is not None]
    if not limited:
        return list(codes)
    locked = {row.id: (row.uses, row.limit_total) for row in run(_LOCKED_CODES, ids=limited)}
    return [_refresh(row, locked) if row.code_id in limited else row for row in codes]


def _refresh(row: _EnteredCode, locked: Mapping[int, tuple[int, int | None]]) -> _EnteredCode:
    if row.code_id is None or row.code_id not in locked:  # it was withdrawn meanwhile
        return _EnteredCode(row.code, None, None, None, None)
    uses, limit = locked[row.code_id]
    return row._replace(uses=uses, limit_total=limit)


def _own_uses(customer: Customer, rows: Mapping[int, PromotionRow]) -> Mapping[int, OwnUses]:
    """The customer's earlier uses of those that are limited for each customer: by the account, by its address
    and by the address of the order."""
    limited = [id_ for id_, row in rows.items() if row.limit_per_customer is not None]
    if not limited or customer == Customer():
        return {}
    hashes = [*customer.email_hashes, *_hashes_of_account(customer)]
    own: ColumnElement[bool] = Redemption.email_hash.in_(hashes)
    if customer.user_id is not None:  # guests have none in common
        own = or_(own, Redemption.user_id == customer.user_id)
    columns = (
        Redemption.promotion_id, Redemption.user_id, Redemption.user_use, Redemption.email_hash,
        Redemption.email_use,
    )  # fmt: skip
    query = select(*columns).where(Redemption.promotion_id.in_(limited), own)
    uses: dict[int, list[Any]] = {id_: [] for id_ in limited}
    for row in db.session.execute(query):
        uses[row.promotion_id].append(row)
    present = customer.email_hashes[:1]
    return {
        id_: OwnUses(
            len(mine),
            frozenset(row.user_use for row in mine if row.user_id == customer.user_id),
            frozenset(row.email_use for row in mine if row.email_hash in present),
        )
        for id_, mine in uses.items()
    }


def _hashes_of_account(customer: Customer) -> list[str]:
    if customer.user_id is None:
        return []
    query = select(User.email).where(User.id == customer.user_id)
    return Customer(email=db.session.scalar(query)).email_hashes


def _judge(
    entered: _EnteredCode, row: PromotionRow | None, used_up: frozenset[int], now: datetime
) -> CodeInCart:
    refusal: CodeRefusal | None = None
    if row is None or not row.is_active or row.deleted_at is not None or _is_to_come(row, now):
        refusal = "code_unknown"
    elif row.ends_at is not None and row.ends_at <= now:
        refusal = "code_expired"
    elif _is_used_up(row, used_up) or (
        entered.limit_total is not None and (entered.uses or 0) >= entered.limit_total
    ):
        refusal = "code_used_up"
    return CodeInCart(entered.code, entered.code_id, entered.promotion_id, refusal)


def _is_to_come(row: PromotionRow, now: datetime) -> bool:
    return row.starts_at is not None and row.starts_at > now


def _is_limited(row: PromotionRow) -> bool:
    return row.limit_total is not None or row.limit_per_customer is not None


def _is_used_up(row: PromotionRow, used_up: frozenset[int]) -> bool:
    is_spent = row.limit_total is not None and row.uses >= row.limit_total
    return is_spent or row.id in used_up


_ARTICLES = select(
    PromotionArticle.promotion_id, PromotionArticle.part, PromotionArticle.product_id,
    PromotionArticle.category_id,
).where(PromotionArticle.promotion_id.in_(_list("ids")))  # fmt: skip


def _articles(rows: Mapping[int, PromotionRow]) -> Mapping[int, list[Any]]:
    articles: dict[int, list[Any]] = defaultdict(list)
    if rows:
        for row in run(_ARTICLES, ids=list(rows)):
            articles[row.promotion_id].append(row)
    return articles


def rule_of(row: PromotionRow, articles: Iterable[Any]) -> pricing.Promotion | None:
    """A promotion as the engine takes it; None where all articles of a part are deleted."""
    ids: dict[tuple[str, str], set[int]] = defaultdict(set)
    parts = set()
    for article in articles:
        parts.add(article.part)
        for column in ("product_id", "category_id"):
            value = getattr(article, column)
            if value is not None:
                ids[article.part, column].add(value)
    if row.kind != "buy_x_get_y":
        parts.discard("get")
    if any(not ids[part, "product_id"] and not ids[part, "category_id"] for part in parts):
        return None
    return pricing.Promotion(
        id=row.id,
        name=row.name,
        kind=row.kind,
        value=row.value,
        product_ids=frozenset(ids["buy", "product_id"]),
        category_ids=frozenset(ids["buy", "category_id"]),
        min_subtotal=row.min_subtotal,
        min_quantity=row.min_quantity,
        buy_quantity=row.buy_quantity,
        get_quantity=row.get_quantity,
        get_product_ids=frozenset(ids["get", "product_id"]),
        get_category_ids=frozenset(ids["get", "category_id"]),
        max_sets=row.max_sets,
        priority=row.priority,
        exclusive=row.exclusive,
    )
