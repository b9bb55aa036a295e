"""What the worker can carry out: kinds of jobs, and schedules that make them."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from app.domain.clock import rfc3339
from app.services.messages.job_queue import ClaimedJob

JITTER = 0.2
"""The part by which a pause is longer or shorter, so that jobs that failed together spread."""


class NoRetry(Exception):
    """Another try is of no use, or would do harm: the job is parked at once."""


class Postponed(Exception):
    """Raised by a job that is to be carried out later. It is no failure: such a job is never parked."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.1f} s later")
        self.seconds = seconds


class Ended(Exception):
    """Raised by a job that has ended or postponed itself, in the transaction that saw there was nothing to do."""


@dataclass(frozen=True)
class Kind:
    """A kind of job and the function that carries it out.

    A `transactional` one changes nothing but the database: it runs in the transaction that completes
    the job, and so exactly once. Any other runs outside transactions, at least once; it opens its own
    with `in_transaction`, and must bear being carried out again after it had succeeded.

    A job that failed is tried again after `first_pause` seconds, then after twice as long, up to
    `longest_pause`. After `max_tries` it is parked.
    """

    name: str
    carry_out: Callable[[ClaimedJob], None]
    transactional: bool = False
    max_tries: int = 10
    first_pause: float = 5.0
    longest_pause: float = 3600.0

    def pause(self, tries: int) -> float:
        """Seconds until the next try after so many."""
        doubled: float = self.first_pause * 2.0 ** min(tries - 1, 60)
        spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads the tries
        return min(doubled, self.longest_pause) * spread


@dataclass(frozen=True)
class Schedule:
    """Makes one job of a kind in every slot of `seconds`, counted from the Unix epoch (UTC).

    The key of the job is `slot_key`, so that any number of workers make one.
    """

    kind: str
    seconds: int

    def slot(self, epoch_seconds: float) -> int:
        """The begin of the slot that holds a moment, in Unix time."""
        return int(epoch_seconds // self.seconds) * self.seconds


def slot_key(slot: int) -> str:
    """The key of a scheduled job: when its slot begins, as staff read it."""
    return rfc3339(datetime.fromtimestamp(slot, timezone.utc))
