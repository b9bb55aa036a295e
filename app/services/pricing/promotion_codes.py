"""The codes of promotions, for staff."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Select, func, select

from app.db.bulk import insert_rows
from app.db.paging import Page, Slice, SortKey, fetch_page, fetch_slice
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.domain.pricing.codes import code_key, generate_codes, key_in_path
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import PromotionCode, Redemption
from app.services.audit import trail
from app.services.pricing.promotion_service import get_promotion, lock_promotion

OLDEST_FIRST = SortKey("oldest codes", PromotionCode.id, PromotionCode.id)
MAX_COUNT = 10_000
"""Codes that are generated at once."""
BATCH = 1000
_COLUMNS = ("promotion_id", "code", "code_key", "limit_total", "uses", "created_at")


class CodeView(NamedTuple):
    """A code, and how many orders use it."""

    id: int
    code: str
    limit_total: int | None
    used: int


def page_of_codes(promotion_id: int, page: int, per_page: int) -> Page[PromotionCode]:
    """The codes of a promotion, oldest first. Raises NotFound."""
    return fetch_page(_of(promotion_id), OLDEST_FIRST.order_by(), page, per_page)


def slice_of_codes(promotion_id: int, cursor: str, per_page: int) -> Slice[PromotionCode]:
    """The same after a cursor; an empty one starts. Raises NotFound, Invalid."""
    return fetch_slice(_of(promotion_id), OLDEST_FIRST, cursor, per_page)


def views_of(codes: Sequence[PromotionCode]) -> list[CodeView]:
    """These codes with their uses, in one statement."""
    query = select(Redemption.code_id, func.count()).group_by(Redemption.code_id)
    ids = [code.id for code in codes]
    used = dict(db.session.execute(query.where(Redemption.code_id.in_(ids))).all())
    return [CodeView(code.id, code.code, code.limit_total, used.get(code.id, 0)) for code in codes]


def iterate_codes(promotion_id: int) -> Iterator[CodeView]:
    """All codes of a promotion, oldest first, read in batches. Raises NotFound."""
    last, query = 0, _of(promotion_id).order_by(PromotionCode.id).limit(BATCH)
    while codes := db.session.scalars(query.where(PromotionCode.id > last)).all():
        yield from views_of(codes)
        last = codes[-1].id
        db.session.expunge_all()


def add_code(
    actor: Actor, promotion_id: int, code: str, limit_total: int | None
) -> list[PromotionCode]:
    """Add one code.

    Raises:
        NotFound: there is no such promotion.
        Conflict: `code_taken`.
    """
    lock_promotion(promotion_id)
    key = code_key(code)
    if db.session.scalar(select(PromotionCode.id).where(PromotionCode.code_key == key)):
        raise Conflict("code_taken", "The shop has this code already.")
    return _insert(actor, promotion_id, [code], limit_total)


def generate(
    actor: Actor, promotion_id: int, count: int, prefix: str, length: int, limit_total: int | None
) -> list[PromotionCode]:
    """Add codes that nobody can guess.

    Raises:
        NotFound: there is no such promotion.
        NotText: as `generate_codes`.
    """
    lock_promotion(promotion_id)
    return _insert(actor, promotion_id, sorted(generate_codes(count, prefix, length)), limit_total)


def remove_code(actor: Actor, promotion_id: int, reference: str) -> None:
    """Withdraw a code, by itself or by its id. In carts it stays until the buyer removes it.

    Raises:
        NotFound: there is no such promotion, or it has no such code.
    """
    lock_promotion(promotion_id)
    of_promotion = PromotionCode.promotion_id == promotion_id
    query = select(PromotionCode).where(of_promotion)
    key = key_in_path(reference)
    code = db.session.scalar(query.where(PromotionCode.code_key == key)) if key else None
    if code is None and reference.isascii() and reference.isdigit() and len(reference) < 19:
        code = db.session.scalar(query.where(PromotionCode.id == int(reference)))
    if code is None:
        raise NotFound("code")
    trail.record(actor, "promotion.code_removed", promotion_id, {"code": code.id})
    db.session.delete(code)
    db.session.flush()


def _of(promotion_id: int) -> Select[PromotionCode]:
    get_promotion(promotion_id)
    return select(PromotionCode).where(PromotionCode.promotion_id == promotion_id)


def _insert(
    actor: Actor, promotion_id: int, codes: Sequence[str], limit_total: int | None
) -> list[PromotionCode]:
    last = db.session.scalar(select(func.max(PromotionCode.id))) or 0
    now = utc_now()
    insert_rows(
        PromotionCode,
        _COLUMNS,
        [(promotion_id, code, code_key(code), limit_total, 0, now) for code in codes],
    )
    trail.record(actor, "promotion.codes_added", promotion_id, {}, {"codes": len(codes)})
    keys = PromotionCode.promotion_id == promotion_id, PromotionCode.id > last
    return list(db.session.scalars(select(PromotionCode).where(*keys).order_by(PromotionCode.id)))
