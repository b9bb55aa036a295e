"""Reading operations: one request each. Whatever is sent twice must be answered alike."""

from collections.abc import Callable, Generator, Sequence
from itertools import accumulate
from random import Random
from typing import Any

from tests.performance.http import expect, insist, request
from tests.performance.load import Answer, Operation

Check = Callable[[Any], None]


class Reading:
    """A request with its answer: read through once, and compared by its bytes from then on."""

    def __init__(self, path: str, check: Check) -> None:
        self._request = request("GET", path)
        self._check = check
        self._known = b""

    def operation(self) -> Generator[bytes, Answer, None]:
        """Ask, and look at the answer."""
        answer = yield self._request
        if answer.status != 200 or answer.body != self._known:
            self._check(expect(answer, 200))
            self._known = answer.body


def hello() -> Operation:
    """The bare view."""
    return Reading("/hello", lambda view: insist(view == {"message": "hello"}, "hello")).operation


def page(path: str, ids: Sequence[int]) -> Operation:
    """A list that has to show these products."""

    def check(view: Any) -> None:
        shown = [item["id"] for item in view["items"]]
        insist(shown == list(ids), f"{path}: {shown} instead of {list(ids)}")
        insist(all(item["variants"] for item in view["items"]), f"{path}: no variants")

    return Reading(path, check).operation


def any_of(operations: Sequence[Operation], dice: Random) -> Operation:
    """One of several."""
    return lambda: dice.choice(operations)()


def popular(paths: Sequence[tuple[str, int]], dice: Random) -> Operation:
    """One of many products, a few of them much more often than the others (Zipf)."""
    readings = [Reading(path, _is_product(id_)) for path, id_ in paths]
    weights = list(accumulate(1 / place for place in range(1, len(readings) + 1)))
    return lambda: dice.choices(readings, cum_weights=weights)[0].operation()


def _is_product(id_: int) -> Check:
    def check(view: Any) -> None:
        insist(view["id"] == id_ and view["variants"] != [], f"not product {id_}: {view}")

    return check
