"""Promotions: what staff set."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypedDict, cast

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import selectinload

from app.db.paging import Page, Slice, SortKey, fetch_page, fetch_slice
from app.domain.catalogue.category_tree import with_descendants
from app.domain.clock import utc_now
from app.domain.money import NotMoney, to_minor, to_text
from app.domain.people.actor import Actor
from app.domain.pricing.percent import WHOLE, NotPercent, percent_text, read_percent
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import (
    Category,
    Product,
    Promotion,
    PromotionArticle,
    PromotionCode,
    Redemption,
)
from app.services.audit import trail
from app.services.pricing.rows import get_row, lock_row

KIND = "promotion"
NEWEST_FIRST = SortKey("newest promotions", Promotion.id, Promotion.id, descending=True)
ARTICLES = {
    "product_ids": ("buy", "product_id"),
    "category_ids": ("buy", "category_id"),
    "get_product_ids": ("get", "product_id"),
    "get_category_ids": ("get", "category_id"),
}
"""The lists of articles, each with the part and the column of its rows."""
COLUMNS = (
    "name", "kind", "min_subtotal", "min_quantity", "buy_quantity", "get_quantity", "max_sets",
    "needs_code", "starts_at", "ends_at", "priority", "exclusive", "limit_total",
    "limit_per_customer", "is_active",
)  # fmt: skip
"""Fields that are stored as they are given."""
_WITH_ARTICLES = selectinload(Promotion.articles)


class PromotionInput(TypedDict, total=False):
    """The fields that staff set; `value` as it is written, amounts in minor units."""

    name: str
    kind: str
    value: Any
    product_ids: list[int]
    category_ids: list[int]
    min_subtotal: int
    min_quantity: int
    buy_quantity: int
    get_quantity: int
    get_product_ids: list[int]
    get_category_ids: list[int]
    max_sets: int | None
    needs_code: bool
    starts_at: datetime | None
    ends_at: datetime | None
    priority: int
    exclusive: bool
    limit_total: int | None
    limit_per_customer: int | None
    is_active: bool


class PromotionView(NamedTuple):
    """A promotion with the ids of its articles, and how many orders use it."""

    promotion: Promotion
    articles: Mapping[str, Sequence[int]]
    used: int


def page_of_promotions(page: int, per_page: int) -> Page[Promotion]:
    """The promotions, newest first."""
    return fetch_page(_all(), NEWEST_FIRST.order_by(), page, per_page, [_WITH_ARTICLES])


def slice_of_promotions(cursor: str, per_page: int) -> Slice[Promotion]:
    """The same after a cursor; an empty one starts. Raises Invalid."""
    return fetch_slice(_all().options(_WITH_ARTICLES), NEWEST_FIRST, cursor, per_page)


def views_of(promotions: Iterable[Promotion]) -> list[PromotionView]:
    """These promotions with their uses, in one statement."""
    rows = list(promotions)
    query = select(Redemption.promotion_id, func.count()).group_by(Redemption.promotion_id)
    ids = [promotion.id for promotion in rows]
    used = dict(db.session.execute(query.where(Redemption.promotion_id.in_(ids))).all())
    return [PromotionView(row, article_ids(row), used.get(row.id, 0)) for row in rows]


def get_promotion(promotion_id: int) -> PromotionView:
    """One promotion. Raises NotFound."""
    return views_of([_existing(get_row(Promotion, promotion_id, KIND, _WITH_ARTICLES))])[0]


def create_promotion(actor: Actor, fields: PromotionInput, currency: str) -> PromotionView:
    """Add a promotion.

    Raises:
        Invalid: fields that do not fit one another, or articles that do not exist.
    """
    promotion = Promotion(articles=[], value=0)
    _change(promotion, {"needs_code": False, **fields}, currency)
    db.session.add(promotion)
    db.session.flush()
    trail.record(actor, "promotion.created", promotion.id, {}, _state(promotion))
    return PromotionView(promotion, article_ids(promotion), 0)


def edit_promotion(
    actor: Actor, promotion_id: int, changes: PromotionInput, currency: str
) -> PromotionView:
    """Change the fields that are given. Orders keep what they were placed with.

    Raises:
        NotFound: there is no such promotion.
        Invalid: as `create_promotion`; or a limit below the uses.
    """
    promotion = lock_promotion(promotion_id)
    before = _state(promotion)
    with db.session.no_autoflush:
        _change(promotion, changes, currency)
    if "limit_total" in changes:
        _count_uses(promotion)
    db.session.flush()
    trail.record(actor, "promotion.edited", promotion.id, before, _state(promotion))
    return views_of([promotion])[0]


def end_promotion(actor: Actor, promotion_id: int, currency: str) -> PromotionView:
    """End a promotion now; one that has not begun is switched off. Its codes are answered as expired.

    Raises:
        NotFound: there is no such promotion.
    """
    now, starts_at = utc_now(), lock_promotion(promotion_id).starts_at
    has_begun = starts_at is None or starts_at < now
    changes: PromotionInput = {"ends_at": now} if has_begun else {"is_active": False}
    return edit_promotion(actor, promotion_id, changes, currency)


def duplicate_promotion(actor: Actor, promotion_id: int, currency: str) -> PromotionView:
    """Add a promotion with the same rule and without codes, switched off.

    Raises:
        NotFound: there is no such promotion.
        Invalid: articles of it were deleted.
    """
    view = get_promotion(promotion_id)
    row = view.promotion
    fields: dict[str, object] = {**{name: getattr(row, name) for name in COLUMNS}, **view.articles}
    fields |= {"name": f"Copy of {row.name}"[:200], "is_active": False}
    fields["value"] = written_value(row, currency)
    return create_promotion(actor, cast(PromotionInput, fields), currency)


def written_value(row: Promotion, currency: str) -> str | None:
    """The value of a promotion as it is given: a percentage, or an amount of money; None of free shipping."""
    if row.kind == "free_shipping":
        return None
    return to_text(row.value, currency) if row.kind == "fixed_amount" else percent_text(row.value)


def delete_promotion(actor: Actor, promotion_id: int) -> None:
    """Withdraw a promotion with its codes. Orders keep its name and what it took off.

    Raises:
        NotFound: there is no such promotion.
    """
    promotion = lock_promotion(promotion_id)
    trail.record(actor, "promotion.deleted", promotion.id, _state(promotion))
    promotion.deleted_at = utc_now()
    of_promotion = PromotionCode.promotion_id == promotion.id
    db.session.execute(
        delete(PromotionCode).where(of_promotion), execution_options={"synchronize_session": False}
    )
    db.session.flush()


def lock_promotion(promotion_id: int) -> Promotion:
    """A promotion as it is now. Orders that use it are waited for, and wait until the commit.

    Raises:
        NotFound: there is none.
    """
    return _existing(lock_row(Promotion, promotion_id, KIND, _WITH_ARTICLES))


def article_ids(promotion: Promotion) -> dict[str, list[int]]:
    """The ids of the articles that a promotion names, by list."""
    ids = {}
    for name, (part, column) in ARTICLES.items():
        values = (getattr(row, column) for row in promotion.articles if row.part == part)
        ids[name] = sorted(value for value in values if value is not None)
    return ids


def _all() -> Select[Promotion]:
    return select(Promotion).where(Promotion.deleted_at.is_(None))


def _existing(promotion: Promotion) -> Promotion:
    if promotion.deleted_at is not None:
        raise NotFound(KIND)
    return promotion


def _change(promotion: Promotion, changes: PromotionInput, currency: str) -> None:
    kind, known = promotion.kind, article_ids(promotion)
    for name in COLUMNS:
        if name in changes:
            setattr(promotion, name, changes.get(name))
    if "value" in changes or promotion.kind != kind:
        promotion.value = _read_value(promotion.kind, changes.get("value"), currency)
    for name, (part, column) in ARTICLES.items():
        if name in changes:
            _set_articles(promotion, part, column, cast(list[int], changes.get(name)))
    promotion.names_articles = any(row.part == "buy" for row in promotion.articles)
    _check(promotion)
    if promotion.kind != kind or not changes.keys().isdisjoint(ARTICLES):
        _check_articles(promotion, known)


def _read_value(kind: str, value: object, currency: str) -> int:
    """The value of a promotion as it is stored.

    Raises:
        Invalid: on `value`.
    """
    if kind == "free_shipping":
        if value not in (None, "0", 0):
            raise Invalid({"value": ["Free shipping has no value."]})
        return 0
    if value is None and kind == "buy_x_get_y":
        return WHOLE
    if not isinstance(value, str) or len(value) > 40:
        raise Invalid({"value": ["A decimal string: a percentage, or an amount of money."]})
    try:
        number = to_minor(value, currency) if kind == "fixed_amount" else read_percent(value, WHOLE)
    except (NotMoney, NotPercent) as error:
        raise Invalid({"value": [str(error)]}) from None
    if number <= 0:
        raise Invalid({"value": ["More than 0."]})
    return number


def _set_articles(promotion: Promotion, part: str, column: str, ids: Iterable[int]) -> None:
    """Replace the products or categories of a part. What is gone is forgotten by that, too."""
    others = [
        row
        for row in promotion.articles
        if row.part != part or (getattr(row, column) is None and not _is_gone(row))
    ]
    new = [PromotionArticle(part=part, **{column: id_}) for id_ in sorted(set(ids))]
    promotion.articles[:] = [*others, *new]


def _is_gone(row: PromotionArticle) -> bool:
    return row.product_id is None and row.category_id is None


def _check(promotion: Promotion) -> None:
    """Refuse what does not fit together.

    Raises:
        Invalid: by field.
    """
    if promotion.starts_at and promotion.ends_at and promotion.starts_at >= promotion.ends_at:
        raise Invalid({"ends_at": ["After starts_at."]})
    if promotion.kind == "buy_x_get_y":
        for name in ("buy_quantity", "get_quantity"):
            if not getattr(promotion, name):
                raise Invalid({name: ["At least 1."]})


def _check_articles(promotion: Promotion, known: Mapping[str, Collection[int]]) -> None:
    """Refuse articles that do not exist or do not fit together. Those that are `known` may have been
    deleted since they were named.

    Raises:
        Invalid: by field.
    """
    ids = article_ids(promotion)
    for name, values in ids.items():
        _require_articles(name, set(values).difference(known[name]))
    if promotion.kind == "buy_x_get_y":
        _refuse_overlap(ids)
    elif ids["get_product_ids"] or ids["get_category_ids"]:
        raise Invalid({"get_product_ids": ["Only of promotions of the kind buy_x_get_y."]})


def _require_articles(name: str, ids: Collection[int]) -> None:
    if not ids:
        return
    if ARTICLES[name][1] == "product_id":
        query = select(Product.id).where(Product.id.in_(ids), Product.deleted_at.is_(None))
    else:
        query = select(Category.id).where(Category.id.in_(ids))
    missing = set(ids).difference(db.session.scalars(query))
    if missing:
        raise Invalid({name: [f"There is none with the id {min(missing)}."]})


def _refuse_overlap(ids: Mapping[str, Collection[int]]) -> None:
    """Refuse articles that are both to be bought and to be gained."""
    if not (ids["get_product_ids"] or ids["get_category_ids"]):
        return
    nodes = db.session.execute(select(Category.id, Category.parent_id, Category.position)).all()
    bought, gained = (
        {below for id_ in ids[name] for below in with_descendants(id_, nodes)}
        for name in ("category_ids", "get_category_ids")
    )
    named = {*ids["product_ids"], *ids["get_product_ids"]}
    query = select(Product.id, Product.category_id).where(Product.id.in_(named))
    category_of = dict(db.session.execute(query).all())
    is_everything = not (ids["product_ids"] or ids["category_ids"])
    if (
        is_everything
        or bought & gained
        or set(ids["product_ids"]) & set(ids["get_product_ids"])
        or any(category_of.get(id_) in gained for id_ in ids["product_ids"])
        or any(category_of.get(id_) in bought for id_ in ids["get_product_ids"])
    ):
        raise Invalid(
            {"get_product_ids": ["No article may be both to be bought and to be gained."]}
        )


def _count_uses(promotion: Promotion) -> None:
    """Count the uses anew, which are not counted while there is no limit.

    Raises:
        Invalid: a limit below them.
    """
    query = select(func.count()).where(Redemption.promotion_id == promotion.id)
    uses = db.session.scalar(query) or 0
    limit = promotion.limit_total
    if limit is not None and uses > limit:
        raise Invalid({"limit_total": [f"At least {uses}: so many orders use it."]})
    promotion.uses = 0 if limit is None else uses


def _state(promotion: Promotion) -> dict[str, object]:
    state: dict[str, object] = {name: getattr(promotion, name) for name in (*COLUMNS, "value")}
    for name in ("starts_at", "ends_at"):
        moment = getattr(promotion, name)
        state[name] = moment.isoformat() if moment else None
    return {**state, **article_ids(promotion)}
