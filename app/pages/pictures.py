"""Pictures for products without one, drawn from the slug: the same slug gives the same picture.

They are SVG of about a kilobyte, so that a list can contain its pictures inline.
"""

import hashlib
from collections.abc import Callable, Iterator

from markupsafe import Markup

# A background, then three colours that go with it.
PALETTES = (
    ("#f1e3d3", "#c8553d", "#588b8b", "#2f4858"),
    ("#e8e4d9", "#8a9a5b", "#c97b4a", "#4a4e69"),
    ("#f6e7cb", "#d98e04", "#7a4419", "#3f5e5a"),
    ("#dfe7e4", "#3d6b6b", "#e0a458", "#8c3b2f"),
    ("#f4dfd6", "#b3555d", "#5b6c8f", "#e3b04b"),
    ("#e4dfec", "#6d597a", "#b56576", "#eaac8b"),
    ("#dce5ea", "#456990", "#e4b363", "#a44a3f"),
    ("#ece8df", "#5f6f52", "#a9b388", "#b99470"),
)
SIZE = 240


class Dice:
    """Pseudo-random numbers that depend on a name."""

    def __init__(self, name: str) -> None:
        self._digest = hashlib.sha256(name.encode("utf-8", "replace")).digest() * 4
        self._place = 0

    def roll(self, sides: int) -> int:
        """The next number below `sides`."""
        self._place += 1
        return self._digest[self._place % len(self._digest)] % sides


def picture(slug: str) -> str:
    """An SVG image for a slug, without a text alternative of its own."""
    dice = Dice(slug)
    palette = PALETTES[dice.roll(len(PALETTES))]
    draw = DRAWINGS[dice.roll(len(DRAWINGS))]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}"'
        f' preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">'
        f'<path fill="{palette[0]}" d="M0 0h{SIZE}v{SIZE}H0z"/>{"".join(draw(dice, palette))}</svg>'
    )


def inline_picture(slug: str) -> Markup:
    """The same, as markup for a page."""
    # Contains only the shapes and numbers above, nothing from the slug.
    return Markup(picture(slug))  # nosec B704 # noqa: S704


Palette = tuple[str, str, str, str]


def _tiles(dice: Dice, palette: Palette) -> Iterator[str]:
    """Quarters of circles in a grid of three."""
    side = SIZE // 3
    corners = ("M{x} {y}h{s}a{s} {s} 0 0 1-{s} {s}z", "M{r} {y}v{s}a{s} {s} 0 0 1-{s}-{s}z",
               "M{r} {b}h-{s}a{s} {s} 0 0 1 {s}-{s}z", "M{x} {b}v-{s}a{s} {s} 0 0 1 {s} {s}z")  # fmt: skip
    for place in range(9):
        colour = dice.roll(4)
        x, y = place % 3 * side, place // 3 * side
        path = corners[dice.roll(4)].format(x=x, y=y, r=x + side, b=y + side, s=side)
        if colour:
            yield f'<path fill="{palette[colour]}" d="{path}"/>'


def _hills(dice: Dice, palette: Palette) -> Iterator[str]:
    """A sun over hills."""
    x, y, radius = 60 + dice.roll(120), 60 + dice.roll(40), 26 + dice.roll(20)
    yield f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{palette[1]}"/>'
    for layer, colour in enumerate((palette[2], palette[3])):
        top, bend = 130 + 45 * layer + dice.roll(20), 20 + dice.roll(45)
        curve = f"M0 {top}Q60 {top - bend} 120 {top}T240 {top}V240H0z"
        yield f'<path fill="{colour}" d="{curve}"/>'


def _arches(dice: Dice, palette: Palette) -> Iterator[str]:
    """Arches within arches, on a floor."""
    centre, step = 100 + dice.roll(40), 24 + dice.roll(6)
    for ring, colour in enumerate((palette[3], palette[2], palette[1], palette[0])):
        r = 4 * step - ring * step
        yield f'<path fill="{colour}" d="M{centre - r} 240v-100a{r} {r} 0 0 1 {2 * r} 0v100z"/>'
    floor = 196 + dice.roll(16)
    yield f'<path fill="{palette[1 + dice.roll(2)]}" d="M0 {floor}h240v44H0z"/>'


def _stones(dice: Dice, palette: Palette) -> Iterator[str]:
    """A pile of pebbles."""
    y = 205
    for number in range(4):
        rx, ry = 84 - 16 * number + dice.roll(14), 24 - 2 * number + dice.roll(6)
        x, y = 112 + dice.roll(17), y - ry
        colour = palette[1 + (number + dice.roll(2)) % 3]
        yield f'<ellipse cx="{x}" cy="{y}" rx="{rx}" ry="{ry}" fill="{colour}"/>'
        y -= ry - 3


def _petals(dice: Dice, palette: Palette) -> Iterator[str]:
    """A flower of leaves on a stem."""
    count, colour = 5 + dice.roll(4), palette[1 + dice.roll(2)]
    yield f'<path stroke="{palette[3]}" stroke-width="7" d="M120 112v128"/>'
    for number in range(count):
        turn = number * 360 // count
        yield (
            f'<path fill="{colour}" transform="rotate({turn} 120 100)"'
            ' d="M120 100c-26-28-26-58 0-82c26 24 26 54 0 82z"/>'
        )
    yield f'<circle cx="120" cy="100" r="15" fill="{palette[3]}"/>'


def _waves(dice: Dice, palette: Palette) -> Iterator[str]:
    """Bands that swing from side to side."""
    bend, lean = 18 + dice.roll(20), dice.roll(2)
    for band in range(5):
        y = 52 + 36 * band
        up = y - bend if lean else y + bend
        yield (
            f'<path fill="none" stroke="{palette[1 + band % 3]}" stroke-width="17"'
            f' d="M-20 {y}Q50 {up} 120 {y}T260 {y}"/>'
        )


DRAWINGS: tuple[Callable[[Dice, Palette], Iterator[str]], ...] = (
    _tiles, _hills, _arches, _stones, _petals, _waves,
)  # fmt: skip
