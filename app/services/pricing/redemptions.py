"""Which orders used which promotions: the limits hold however many orders are placed at once.

Promotions and codes with limits are locked before an order is priced (`promotion_rules`), so what is
written here fits their limits. Constraints are the last guard.
"""

from collections.abc import Collection, Sequence
from itertools import count
from typing import NamedTuple

from sqlalchemy import delete, insert, select, update

from app.db.prepared import run
from app.extensions import db
from app.models import Promotion, PromotionCode, Redemption
from app.services.pricing.promotion_rules import Customer, Rules


class Use(NamedTuple):
    """A promotion that took something off an order, and the code that it was given for."""

    promotion_id: int
    code: str | None


def redeem(order_id: int, uses: Sequence[Use], rules: Rules, customer: Customer) -> None:
    """Record that an order uses these promotions, whose limits were checked on locked rows."""
    if not uses:
        return
    code_ids = {(code.promotion_id, code.code): code.code_id for code in rules.codes}
    email_hash = next(iter(customer.email_hashes), None)
    ids = [use.promotion_id for use in uses]
    rows = [
        {
            "promotion_id": use.promotion_id,
            "code_id": code_ids[use.promotion_id, use.code] if use.code is not None else None,
            "order_id": order_id,
            "user_id": customer.user_id,
            "email_hash": email_hash,
            **_numbers(use.promotion_id, rules, customer),
        }
        for use in uses
    ]
    run(insert(Redemption), rows)
    _count(Promotion, ids)
    _count(PromotionCode, [row["code_id"] for row in rows if row["code_id"] is not None])


def _numbers(promotion_id: int, rules: Rules, customer: Customer) -> dict[str, int | None]:
    """The numbers of this use for the account and the address, where a customer may use it so often only."""
    uses = rules.own_uses.get(promotion_id)
    if uses is None:
        return {"user_use": None, "email_use": None}
    return {
        "user_use": None if customer.user_id is None else _first_free(uses.user_uses),
        "email_use": _first_free(uses.email_uses) if customer.email else None,
    }


def _first_free(used: Collection[int]) -> int:
    return next(number for number in count(1) if number not in used)


def _count(model: type[Promotion] | type[PromotionCode], ids: Collection[object]) -> None:
    """Count a use of those that have a limit. The check of the table refuses one above it."""
    if ids:
        limited = model.id.in_(ids), model.limit_total.is_not(None)
        db.session.execute(
            update(model).where(*limited).values(uses=model.uses + 1),
            execution_options={"synchronize_session": False},
        )


def free(order_id: int) -> None:
    """Give back what a cancelled order used."""
    query = select(Redemption.promotion_id, Redemption.code_id)
    rows = db.session.execute(query.where(Redemption.order_id == order_id)).all()
    if not rows:
        return
    for model, ids in (
        (Promotion, {row.promotion_id for row in rows}),
        (PromotionCode, {row.code_id for row in rows if row.code_id is not None}),
    ):
        limited = select(model.id).where(model.id.in_(ids), model.limit_total.is_not(None))
        locked = db.session.scalars(limited.order_by(model.id).with_for_update(key_share=True))
        db.session.execute(
            update(model).where(model.id.in_(locked.all())).values(uses=model.uses - 1),
            execution_options={"synchronize_session": False},
        )
    db.session.execute(
        delete(Redemption).where(Redemption.order_id == order_id),
        execution_options={"synchronize_session": False},
    )
