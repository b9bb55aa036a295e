"""Parts of an amount, in minor units, that add up to it exactly."""

from collections.abc import Sequence


def spread(amount: int, weights: Sequence[int], rooms: Sequence[int] | None = None) -> list[int]:
    """Spread an amount over weights by the largest remainder; ties go to the earlier place.

    A weight of zero gets nothing, and an amount of at most the sum of the weights gives no place
    more than its weight. Where all weights are zero, all parts are.
    With `rooms`, no place gets more than its room: what is above goes on by the remainders.
    """
    whole = sum(weights)
    if not whole or not amount:
        return [0] * len(weights)
    parts, remainders = [], []
    for place, weight in enumerate(weights):
        part, remainder = divmod(amount * weight, whole)
        parts.append(part)
        remainders.append((-remainder, place))
    for _remainder, place in sorted(remainders)[: amount - sum(parts)]:
        parts[place] += 1
    return parts if rooms is None else _within(parts, remainders, rooms)


def _within(
    parts: Sequence[int], remainders: Sequence[tuple[int, int]], rooms: Sequence[int]
) -> list[int]:
    """The same parts, but none above its room: what is above goes to the places with room that are next
    by their remainder."""
    fitting = [min(part, room) for part, room in zip(parts, rooms, strict=True)]
    rest = sum(parts) - sum(fitting)
    while rest and fitting != list(rooms):
        for _remainder, place in sorted(remainders):
            taken = int(rest > 0 and fitting[place] < rooms[place])
            fitting[place] += taken
            rest -= taken
    return fitting


def units_share(amount: int, quantity: int, before: int, units: int) -> int:
    """The share that `units` of a line's `quantity` have in its amount, `before` of which have been
    taken already: whatever the steps, the shares of all units add up to the amount."""
    return amount * (before + units) // quantity - amount * before // quantity
