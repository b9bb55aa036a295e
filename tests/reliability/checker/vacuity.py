"""Runs that prove nothing, and answers that are wrong whatever they are about."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from tests.reliability.checker.case import Case
from tests.reliability.violation import Violation


def nothing_ends_in_a_defect(case: Case) -> Iterator[Violation]:
    """Sound: the contract knows one 5xx, 503 while the database is away; 500 is a defect."""
    for attempt in case.attempts:
        if attempt.status is not None and attempt.status >= 500 and attempt.status != 503:
            detail = f"{attempt.method} {attempt.path} was answered {attempt.status}."
            yield Violation("server_error", detail, [attempt])


def accounts_are_there(case: Case) -> Iterator[Violation]:
    """Sound: an account that was acknowledged was committed, and keeps a row for ever."""
    for attempt in case.ok("register"):
        if attempt.answer["id"] not in case.books.users:
            yield Violation("account_lost", f"{attempt.user} was told of an account.", [attempt])


def everything_succeeded_once(case: Case) -> Iterator[Violation]:
    """A run in which an operation never succeeds proves nothing about it."""
    succeeded = Counter(a.operation for a in case.attempts if a.outcome == "ok")
    for operation in sorted(case.facts.must_succeed):
        if not succeeded[operation]:
            yield Violation("vacuous", f"No {operation} ever succeeded.")


def kills_hit_something(case: Case) -> Iterator[Violation]:
    """Kills that meet no request under way, or cost none its answer, prove nothing."""
    if case.facts.kills is None:
        return
    lost = [attempt for attempt in case.attempts if attempt.status is None]
    starts = sorted(attempt.start for attempt in lost)
    ends = sorted(attempt.end for attempt in lost)
    if not any(bisect_left(starts, at) > bisect_left(ends, at) for at in case.facts.kills):
        yield Violation("vacuous", f"{len(case.facts.kills)} kills cost no request its answer.")


RULES = (
    nothing_ends_in_a_defect,
    accounts_are_there,
    everything_succeeded_once,
    kills_hit_something,
)
