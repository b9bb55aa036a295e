"""The coordinates of a bar chart in SVG, which the template draws."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 180
TOP, BOTTOM = 10, 22
"""Space above the highest bar, and below the bars for dates."""
GAP = 0.25
"""The part of a bar's space that stays empty."""


@dataclass(frozen=True)
class Bar:
    """One bar, in units of the viewBox."""

    x: float
    y: float
    width: float
    height: float
    middle: float


def bars(values: Sequence[int]) -> list[Bar]:
    """A bar for each value; the largest is as high as the drawing allows."""
    space, highest = WIDTH / max(1, len(values)), max([*values, 1])
    full = HEIGHT - TOP - BOTTOM
    result = []
    for number, value in enumerate(values):
        height = round(full * value / highest, 1)
        start = number * space
        result.append(
            Bar(
                x=round(start + space * GAP / 2, 1),
                y=round(HEIGHT - BOTTOM - height, 1),
                width=round(space * (1 - GAP), 1),
                height=height,
                middle=round(start + space / 2, 1),
            )
        )
    return result
