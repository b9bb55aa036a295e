"""Idempotency keys: one order each, equal answers, and no refusal of what was accepted."""

from collections.abc import Iterator

from tests.reliability.checker.askings import Asking
from tests.reliability.checker.case import Case, refusal
from tests.reliability.history import Attempt
from tests.reliability.violation import Violation

SAYS_NOTHING = {"idempotency_key_in_use", "too_many_requests", "too_many_attempts"}
"""Refusals that are no answer to what was asked: try again."""


def a_key_makes_one_order(case: Case) -> Iterator[Violation]:
    """Two orders for one key: two numbers in answers, or two orders in the books.

    Sound: within a day the contract has a key and its body carried out once. Orders are put down
    to a key by the key's own row, by the note that repeats it, or by the number that was answered
    to it; each of these names the asking for certain.
    """
    for asking in _keyed(case):
        numbers = {order.number for order in asking.orders}
        numbers |= {attempt.answer["number"] for attempt in asking.accepted}
        if len(numbers) > 1:
            detail = f"{asking} made {', '.join(sorted(numbers))}."
            yield Violation("two_orders_for_one_key", detail, asking.attempts)


def replays_are_equal(case: Case) -> Iterator[Violation]:
    """Sound: the contract replays the first answer byte for byte."""
    for asking in _keyed(case):
        if len({attempt.raw for attempt in asking.accepted}) > 1:
            detail = f"{asking} was answered in different words."
            yield Violation("replays_differ", detail, asking.accepted)


def replays_are_marked(case: Case) -> Iterator[Violation]:
    """Sound: one attempt places the order, and every other answer under its key is a replay."""
    for asking in _keyed(case):
        first = [attempt for attempt in asking.accepted if not attempt.replayed]
        if len(first) > 1:
            detail = f"{asking} was carried out {len(first)} times, by the answers' headers."
            yield Violation("replay_unmarked", detail, first)


def a_key_that_was_accepted_is_not_refused(case: Case) -> Iterator[Violation]:
    """Accepted and refused under one key, the refusal sent after the acceptance was answered.

    Sound: a refusal is not stored, so one that came first, or at the same time, may be followed by
    an acceptance. Once an answer is stored it is looked up before all else; only what comes before
    any key is looked at (401, 403, 429), or that it is in use, may still be said; and of another
    body that the key is taken. (A refusal at the same time is judged with the cart: see carts.)
    """
    for asking in _keyed(case):
        accepted_by = min((attempt.end for attempt in asking.accepted), default=None)
        if accepted_by is None:
            continue
        for attempt in asking.attempts:
            if attempt.start > accepted_by and _refuses(attempt, asking):
                detail = f"{asking} was accepted, and then refused: {refusal(attempt)}."
                yield Violation("accepted_and_refused", detail, [*asking.accepted[:1], attempt])


def a_key_has_one_body(case: Case) -> Iterator[Violation]:
    """Sound: the contract refuses another body under the same key with 422."""
    for asking in _keyed(case):
        bodies = {repr(attempt.body) for attempt in asking.accepted}
        if len(bodies) > 1:
            yield Violation("key_took_two_bodies", f"{asking}: {bodies}", asking.accepted)


def keys_are_kept_with_their_orders(case: Case) -> Iterator[Violation]:
    """Sound: key, answer and order are stored in one transaction, and the key is kept for a day."""
    kept = {(row.key, row.order_id) for row in case.books.keys}
    for asking in _keyed(case):
        for order in asking.orders:
            if (asking.key, order.id) not in kept:
                detail = f"{order.number} was made for {asking}, which was not kept with it."
                yield Violation("key_lost", detail, asking.attempts)
    for row in case.books.keys:
        if row.order_id is None or not row.is_answered:
            yield Violation("key_without_answer", f"{row.key} of {row.scope} was kept, unanswered.")


def every_key_is_resolved(case: Case) -> Iterator[Violation]:
    """An attempt never resolved: tried again and again, and no answer came that says anything.

    Sound: clients try until they know, for longer than any fault lasts.
    """
    for asking in _keyed(case):
        last = max(asking.attempts, key=lambda attempt: attempt.end)
        if not asking.accepted and (last.outcome == "unknown" or refusal(last) in SAYS_NOTHING):
            yield Violation("never_resolved", f"{asking} never got an answer.", asking.attempts)


def every_cancel_is_resolved(case: Case) -> Iterator[Violation]:
    """Sound, as for keys. Many may try to cancel one order: one clear answer is enough."""
    last: dict[str, Attempt] = {}
    settled = set()
    for attempt in case.of("cancel"):
        last[attempt.about["number"]] = attempt
        if attempt.outcome != "unknown":
            settled.add(attempt.about["number"])
    for number, attempt in last.items():
        if number not in settled:
            yield Violation("never_resolved", f"Cancelling {number} got no answer.", [attempt])


def _keyed(case: Case) -> Iterator[Asking]:
    return (asking for asking in case.askings if asking.key is not None)


def _refuses(attempt: Attempt, asking: Asking) -> bool:
    if attempt.outcome != "refused" or attempt.status in (401, 403, 429):
        return False
    if refusal(attempt) == "idempotency_key_reused":
        return any(attempt.body == accepted.body for accepted in asking.accepted)
    return refusal(attempt) not in SAYS_NOTHING


RULES = (
    a_key_makes_one_order,
    replays_are_equal,
    replays_are_marked,
    a_key_that_was_accepted_is_not_refused,
    a_key_has_one_body,
    keys_are_kept_with_their_orders,
    every_key_is_resolved,
    every_cancel_is_resolved,
)
