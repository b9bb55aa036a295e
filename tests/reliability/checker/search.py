"""Whether steps on carts can be put into one order, each within its window (linearizability).

The search goes through all moments at which a step may begin or has to be over, and keeps every
state that the carts may be in (Lowe, "Testing for linearizability", 2017: just-in-time). A step
is carried out at the last moment that matters: when itself or another one has to be over.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.reliability.checker.cart_steps import EMPTY, Carts, CartStep

MOST = 20_000
"""States to look at for one step before giving up."""


class TooMany(Exception):
    """So much was unknown at once that the search was given up."""


@dataclass(frozen=True)
class State:
    """What may be: the carts, and the steps that have begun and are still to be carried out.

    `due` have to be, `open` may be. Of two states that differ only in `open`, the one with more
    can do all that the other can (by leaving steps out), so the other is dropped.
    """

    carts: Carts
    due: frozenset[CartStep] = frozenset()
    open: frozenset[CartStep] = frozenset()

    def begin(self, step: CartStep) -> "State":
        """With a step that may be carried out from now on."""
        if step.is_certain:
            return State(self.carts, self.due | {step}, self.open)
        return State(self.carts, self.due, self.open | {step})

    def without(self, step: CartStep, carts: Carts | None = None) -> "State":
        """With a step out of the way: carried out if the carts after it are given."""
        after = self.carts if carts is None else carts
        return State(after, self.due - {step}, self.open - {step})


class Search:
    """All steps of one person."""

    def __init__(self, steps: Iterable[CartStep]) -> None:
        self._steps = list(steps)
        self._begun: set[CartStep] = set()
        self._states = {State(EMPTY)}

    def first_contradiction(self) -> CartStep | None:
        """The first step that had to be over, and that no order explains; None if all are.

        Raises:
            TooMany: it was given up.
        """
        # Begins before ends where moments are equal: what touches may have overlapped.
        moments = [(step.earliest, 0, number) for number, step in enumerate(self._steps)]
        moments += [(step.latest, 1, number) for number, step in enumerate(self._steps)]
        for _moment, is_end, number in sorted(moments):
            step = self._steps[number]
            if not is_end:
                self._begun.add(step)
                self._states = {state.begin(step) for state in self._states}
                continue
            self._states = _best(self._end(step))
            if not self._states:
                return step
        return None

    def _end(self, step: CartStep) -> set[State]:
        """The states that are left when a step is over."""
        ended = set()
        for state in self._states:
            if step not in state.due and step not in state.open:
                ended.add(state)
                continue
            if not step.is_certain:
                ended.add(state.without(step))
            ended |= self._carried_out(state, step)
        return ended

    def _carried_out(self, start: State, step: CartStep) -> set[State]:
        """All that may come of carrying out a step, after any others that have begun."""
        reached, todo, found = {start}, [start], set()
        while todo:
            state = todo.pop()
            if len(reached) > MOST:
                raise TooMany
            for other in (*state.due, *state.open):
                after = self._after(state, other)
                if after is None:
                    continue
                if other is step:
                    found.add(after)
                elif after not in reached:
                    reached.add(after)
                    todo.append(after)
        return found

    def _after(self, state: State, step: CartStep) -> State | None:
        barrier = step.not_after
        if barrier is not None and barrier in self._begun and barrier not in state.due:
            return None
        carts = step.carry_out(state.carts)
        return None if carts is None else state.without(step, carts)


def _best(states: set[State]) -> set[State]:
    """Without those that others can stand in for."""
    groups: dict[tuple[Carts, frozenset[CartStep]], list[State]] = {}
    for state in sorted(states, key=lambda state: -len(state.open)):
        group = groups.setdefault((state.carts, state.due), [])
        if not any(state.open <= better.open for better in group):
            group.append(state)
    return {state for group in groups.values() for state in group}
