"""Cancels, and all other steps of an order: done when told so, and only when asked."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.reliability.checker.case import Case, refusal
from tests.reliability.checker.stories import FOLLOWS, Story
from tests.reliability.history import Attempt
from tests.reliability.violation import Violation


def steps_follow_the_contract(case: Case) -> Iterator[Violation]:
    """Sound: an order begins as pending, moves only along the status machine, and is where its
    last step says. As no status comes back, nothing is ever done twice."""
    for order in case.books.orders.values():
        statuses = [event.status for event in order.events]
        legal = all(after in FOLLOWS.get(before, ()) for before, after in pairwise(statuses))
        if not legal or statuses[:1] != ["pending"] or statuses[-1:] != [order.status]:
            detail = f"{order.number} is {order.status}, by way of {statuses}."
            yield Violation("history_illegal", detail)


def acknowledged_steps_are_done(case: Case) -> Iterator[Violation]:
    """A cancel, or a step by staff, that was acknowledged and is not in the order's history.

    Sound: step and history are one transaction, committed before the answer, and history only
    grows. One step is acknowledged to one attempt: the next one is refused.
    """
    done: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for attempt in case.ok("cancel", "set_status"):
        done[attempt.about["number"], _target(attempt)].append(attempt)
    for (number, status), attempts in done.items():
        order_id = case.order_ids.get(number)
        if order_id is None:
            continue  # that the order is missing is told elsewhere
        events = Counter(event.status for event in case.books.orders[order_id].events)
        name = "cancel_not_done" if status == "cancelled" else "step_not_done"
        if not events[status]:
            yield Violation(name, f"{number} was told to be {status}, and is not.", attempts)
        if len(attempts) > 1:
            detail = f"{number} became {status} {len(attempts)} times, by the answers."
            yield Violation("step_done_twice", detail, attempts)


def steps_were_asked_for(case: Case) -> Iterator[Violation]:
    """A cancel, or a step by staff, that nobody asked for, or only in attempts that were refused.

    Sound: a step needs an attempt that was acknowledged, or whose end nobody knows, through the
    door that the history names: the buyer's `cancel`, or staff's `set_status`.
    """
    for story in case.stories.values():
        for step in story.steps[1:]:
            if not step.doers:
                status, number = step.event.status, story.order.number
                name = "cancel_unasked" if status == "cancelled" else "step_unasked"
                detail = f"{number} became {status} by {step.event.done_by}, whom nobody asked."
                yield Violation(name, detail)


def steps_keep_time(case: Case) -> Iterator[Violation]:
    """Sound: steps are committed one after the other (see Story), each within its window."""
    for story in case.stories.values():
        wrong = story.timeline.contradictions()
        if wrong:
            statuses = ", ".join(story.steps[index].event.status for index in wrong)
            detail = f"{story.order.number}: no moment is left in which it became {statuses}."
            doers = [attempt for step in story.steps for attempt in step.doers]
            yield Violation("history_out_of_order", detail, doers)


def refusals_of_steps_have_a_reason(case: Case) -> Iterator[Violation]:
    """Told that a step is illegal while it was legal all along.

    Sound: it is refused by the status that the order has, under its lock, at some moment while
    the attempt runs; one status that it may have had then and that forbids the step is enough.
    """
    for attempt in case.of("cancel", "set_status"):
        order_id = case.order_ids.get(attempt.about["number"])
        if order_id is None or refusal(attempt) != "illegal_transition":
            continue
        statuses = case.stories[order_id].statuses(attempt.start, attempt.end)
        if all(_target(attempt) in FOLLOWS.get(status, ()) for status in statuses):
            detail = (
                f"{attempt.about['number']} could become {_target(attempt)}: it was {statuses}."
            )
            yield Violation("step_refused_without_reason", detail, [attempt])


def orders_are_seen_as_they_are(case: Case) -> Iterator[Violation]:
    """An answer shows a status that the order cannot have had while the attempt ran.

    So a cancel that was acknowledged is never unseen afterwards, nor anything seen before it was
    asked for. Sound: orders never come from a cache. A replay shows the first answer again, and
    is judged by its window as if it were that one: new orders are pending in both.
    """
    for sight in case.sights:
        order_id = case.order_ids.get(sight.shown["number"])
        if order_id is None:
            continue
        story, attempt, shown = case.stories[order_id], sight.attempt, sight.shown
        if attempt.operation == "place_order":
            is_right = shown["status"] == "pending" and len(shown["history"]) == 1
        else:
            is_right = shown["status"] in story.statuses(attempt.start, attempt.end)
            is_right = is_right and _tells(story, shown["status"], shown["history"])
        if not is_right:
            detail = f"{shown['number']} was shown as {shown['status']}, which it was not then."
            yield Violation("status_misread", detail, [attempt])


def _tells(story: Story, status: str, history: list[dict[str, str]]) -> bool:
    """Whether this is the order's history up to the status."""
    told = [step["status"] for step in history]
    return told[-1:] == [status] and told == [
        step.event.status for step in story.steps[: len(told)]
    ]


def _target(attempt: Attempt) -> str:
    return "cancelled" if attempt.operation == "cancel" else str(attempt.body["status"])


RULES = (
    steps_follow_the_contract,
    acknowledged_steps_are_done,
    steps_were_asked_for,
    steps_keep_time,
    refusals_of_steps_have_a_reason,
    orders_are_seen_as_they_are,
)
