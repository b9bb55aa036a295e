"""A bar chart as SVG, its figures worked out here, so that the template only writes them down."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 180
TOP, BOTTOM = 10, 22
"""Room above the highest bar, and for the words below."""
GAP = 0.25
"""The part of a bar's place that stays empty."""


@dataclass(frozen=True)
class Bar:
    """One bar, in the units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    middle: float


def bars(values: Sequence[int]) -> list[Bar]:
    """A bar for each value; the largest is as high as the drawing allows."""
    place, highest = WIDTH / max(1, len(values)), max([*values, 1])
    full = HEIGHT - TOP - BOTTOM
    drawn = []
    for number, value in enumerate(values):
        height = round(full * value / highest, 1)
        left = number * place
        drawn.append(
            Bar(
                x=round(left + place * GAP / 2, 1),
                y=round(HEIGHT - BOTTOM - height, 1),
                width=round(place * (1 - GAP), 1),
                height=height,
                middle=round(left + place / 2, 1),
            )
        )
    return drawn
