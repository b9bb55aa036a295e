"""Which orders used which promotions: the limits hold however many orders are placed at once.

Promotions and codes with limits are locked before an order is priced (`promotion_rules`), so what is
written here fits their limits. The statements check them once more, and constraints are the last guard.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import count
from typing import NamedTuple

from sqlalchemy import delete, insert, select, update

from app.db.prepared import run
from app.errors import TryAgain
from app.extensions import db
from app.models import Promotion, PromotionCode, Redemption
from app.services.pricing.promotion_rules import Customer, Rules

_NUMBERS = {"user_id": "user_use", "email_hash": "email_use"}


class Use(NamedTuple):
    """A promotion that took something off an order, and the code that it was given for."""

    promotion_id: int
    code: str | None


def redeem(order_id: int, uses: Sequence[Use], rules: Rules, customer: Customer) -> None:
    """Record that an order uses these promotions.

    Raises:
        TryAgain: a limit was reached since the promotions were read.
    """
    if not uses:
        return
    code_ids = {(code.promotion_id, code.code): code.code_id for code in rules.codes}
    email_hash = next(iter(customer.email_hashes), None)
    ids = [use.promotion_id for use in uses]
    user_uses = _free_numbers(ids, rules, "user_id", customer.user_id)
    email_uses = _free_numbers(ids, rules, "email_hash", email_hash)
    rows = [
        {
            "promotion_id": use.promotion_id,
            "code_id": code_ids[use.promotion_id, use.code] if use.code is not None else None,
            "order_id": order_id,
            "user_id": customer.user_id,
            "email_hash": email_hash,
            "user_use": user_uses.get(use.promotion_id),
            "email_use": email_uses.get(use.promotion_id),
        }
        for use in uses
    ]
    run(insert(Redemption), rows)
    _count(Promotion, ids)
    _count(PromotionCode, [row["code_id"] for row in rows if row["code_id"] is not None])


def _free_numbers(
    ids: Sequence[int], rules: Rules, column: str, value: int | str | None
) -> dict[int, int]:
    """The lowest number that no order of this account or address has, of each limited promotion."""
    limited = [id_ for id_ in ids if id_ in rules.limited]
    if value is None or not limited:
        return {}
    own, number = getattr(Redemption, column), getattr(Redemption, _NUMBERS[column])
    query = select(Redemption.promotion_id, number).where(
        Redemption.promotion_id.in_(limited), own == value
    )
    used: dict[int, set[int]] = defaultdict(set)
    for promotion_id, use in db.session.execute(query):
        used[promotion_id].add(use)
    return {id_: next(n for n in count(1) if n not in used[id_]) for id_ in limited}


def _count(model: type[Promotion] | type[PromotionCode], ids: Collection[object]) -> None:
    """Count a use of those that have a limit.

    Raises:
        TryAgain: one of them is used up.
    """
    if not ids:
        return
    limited = model.id.in_(ids), model.limit_total.is_not(None)
    if db.session.scalar(
        select(model.id).where(*limited, model.uses >= model.limit_total).limit(1)
    ):
        raise TryAgain()
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
