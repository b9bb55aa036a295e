"""Faults planted into orders: lost, doubled, told otherwise, moved along by nobody."""

from dataclasses import replace

from tests.reliability.ledgers import Event, Order
from tests.reliability.pretend.patch import Patch, Plants

PLANTS = Plants()
found_as = PLANTS.found_as


@found_as("order_lost")
def an_acknowledged_order_is_gone(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    if attempt is not None:
        patch.forget(patch.order_of(attempt))
    return attempt is not None


@found_as("order_differs")
def an_order_has_another_total(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    if attempt is not None:
        order = patch.order_of(attempt)
        patch.change_order(order, subtotal=order.subtotal + 1, total=order.total + 1)
    return attempt is not None


@found_as("order_of_another")
def an_order_is_somebody_elses(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok", about={"guest": False, "cart": "account"})
    if attempt is not None:
        patch.change(attempt, answer=attempt.answer | {"user_id": 10**9})
    return attempt is not None


@found_as("order_unasked")
def there_is_an_order_under_no_known_key(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    if attempt is not None:
        patch.copy(patch.order_of(attempt), note="nobody knows me")
    return attempt is not None


@found_as("order_after_refusals")
def an_order_was_only_ever_refused(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    for other in [a for a in patch.attempts if attempt and a.key == attempt.key]:
        patch.change(other, status=422, answer={"code": "invalid"})
    return attempt is not None


@found_as("order_not_found")
def an_order_of_ones_own_is_a_404(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    if attempt is not None:
        about = {"number": attempt.answer["number"]}
        patch.repeat(attempt, operation="read_order", status=404, key=None, about=about)
    return attempt is not None


@found_as("two_orders_for_one_key")
def a_key_made_a_second_order(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    if attempt is not None:
        patch.copy(patch.order_of(attempt), note=attempt.key or "")
    return attempt is not None


@found_as("replays_differ")
def a_replay_is_in_other_words(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    if attempt is not None:
        patch.repeat(attempt, raw=attempt.raw + b" ", replayed=True)
    return attempt is not None


@found_as("replay_unmarked")
def a_replay_does_not_say_so(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok", replayed=False)
    if attempt is not None:
        patch.repeat(attempt)
    return attempt is not None


@found_as("accepted_and_refused")
def an_accepted_key_is_refused(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    if attempt is not None:
        patch.repeat(attempt, status=409, answer={"code": "total_changed"})
    return attempt is not None


@found_as("key_took_two_bodies")
def a_key_is_accepted_with_another_body(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    if attempt is not None:
        patch.repeat(attempt, body={"note": "another"}, replayed=True)
    return attempt is not None


@found_as("key_lost")
def a_key_is_not_kept(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    patch.books.keys = [key for key in patch.books.keys if not attempt or key.key != attempt.key]
    return attempt is not None


@found_as("key_without_answer")
def a_key_is_kept_unanswered(patch: Patch) -> bool:
    patch.books.keys = [replace(key, is_answered=False) for key in patch.books.keys]
    return bool(patch.books.keys)


@found_as("never_resolved")
def a_key_never_got_an_answer(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    for other in [a for a in patch.attempts if attempt and a.key == attempt.key]:
        patch.change(other, status=None, answer=None)
    return attempt is not None


@found_as("never_resolved")
def a_cancel_never_got_an_answer(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    if attempt is not None:
        about = {"number": attempt.answer["number"]}
        patch.attempts = [a for a in patch.attempts if a.operation != "cancel"]
        patch.repeat(attempt, operation="cancel", key=None, status=None, answer=None, about=about)
    return attempt is not None


@found_as("history_illegal")
def an_order_is_cancelled_twice(patch: Patch) -> bool:
    order = _order_at(patch, "cancelled")
    if order is not None:
        patch.change_order(order, events=(*order.events, order.events[-1]))
    return order is not None


@found_as("cancel_not_done")
def a_cancel_was_acknowledged_and_not_done(patch: Patch) -> bool:
    attempt = patch.some("cancel", outcome="ok")
    if attempt is not None:
        order = patch.order_of(attempt)
        patch.change_order(order, status=order.events[-2].status, events=order.events[:-1])
    return attempt is not None


@found_as("step_not_done")
def a_step_was_acknowledged_and_not_done(patch: Patch) -> bool:
    attempt = patch.some("set_status", outcome="ok", body={"status": "processing"})
    if attempt is not None:
        order = patch.order_of(attempt)
        patch.change_order(order, status="pending", events=order.events[:1])
    return attempt is not None


@found_as("step_done_twice")
def two_cancels_were_acknowledged(patch: Patch) -> bool:
    attempt = patch.some("cancel", outcome="ok")
    if attempt is not None:
        patch.repeat(attempt)
    return attempt is not None


@found_as("cancel_unasked")
def an_order_is_cancelled_for_nobody(patch: Patch) -> bool:
    order = _order_at(patch, "pending")
    if order is not None:
        _step(patch, order, "cancelled", "customer")
        patch.attempts = [a for a in patch.attempts if a.operation != "cancel"]
    return order is not None


@found_as("step_unasked")
def an_order_moves_along_by_itself(patch: Patch) -> bool:
    order = _order_at(patch, "pending")
    if order is not None:
        _step(patch, order, "processing", "staff")
        patch.attempts = [a for a in patch.attempts if a.operation != "set_status"]
    return order is not None


@found_as("history_out_of_order")
def an_order_is_cancelled_before_it_is_placed(patch: Patch) -> bool:
    attempt = patch.some("cancel", outcome="ok")
    if attempt is not None:
        patch.change(attempt, start=-2.0, end=-1.0)
    return attempt is not None


@found_as("step_refused_without_reason")
def a_legal_step_is_refused(patch: Patch) -> bool:
    order = _order_at(patch, "pending")
    attempt = patch.some("place_order", outcome="ok")
    if order is not None and attempt is not None:
        answer, about = {"code": "illegal_transition"}, {"number": order.number}
        patch.repeat(attempt, operation="cancel", key=None, status=409, answer=answer, about=about)
    return order is not None and attempt is not None


@found_as("status_misread")
def a_cancelled_order_is_seen_pending(patch: Patch) -> bool:
    attempt = patch.some("cancel", outcome="ok")
    if attempt is not None:
        answer = attempt.answer | {"status": "pending", "history": [{"status": "pending"}]}
        patch.repeat(attempt, operation="read_order", answer=answer)
    return attempt is not None


def _order_at(patch: Patch, status: str) -> Order | None:
    found = [order for order in patch.books.orders.values() if order.status == status]
    return patch.rng.choice(found) if found else None


def _step(patch: Patch, order: Order, status: str, done_by: str) -> None:
    event = Event(10**6, status, done_by)
    after = patch.change_order(order, status=status, events=(*order.events, event))
    if status == "cancelled":
        for line in order.lines:
            patch.move(line.variant_id, 0, -line.quantity, after)
