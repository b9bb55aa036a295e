"""Pictures of products: how many, how wide, under which names."""

from typing import TypedDict

WIDTHS = (320, 640, 1280)
"""In pixels; a narrower picture is not made wider."""
MAX_IMAGES = 20
MAX_ALT = 300


class StoredImage(TypedDict):
    """A picture as a product's row holds it, with the size of its widest file in pixels."""

    id: str
    alt: str
    width: int
    height: int


def file_name(picture_id: str, width: int) -> str:
    """The name of the file that holds a picture at one of WIDTHS."""
    return f"{picture_id}-{width}.webp"
