"""Converts uploaded pictures to WebP in three widths.

Only pixels are copied: no EXIF, which tells place and camera, and no bytes that were hidden behind
the picture (OWASP File Upload Cheat Sheet, "Image Rewriting").
"""

import hashlib
import io
import struct
import threading
from dataclasses import dataclass

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from app.domain.catalogue.images import WIDTHS, file_name
from app.errors import Invalid

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MAX_JPEG_PIXELS = 50_000_000
"""A phone's picture of 48 megapixels is 8064 × 6048. A JPEG is decoded at a smaller size: one of 48
megapixels takes 40 MB of memory and, if it is progressive, 150 to 290 MB."""
MAX_PIXELS = 25_000_000
"""Of other pictures, which are decoded at full size: 150 to 490 MB of memory."""
MAX_SIDE = 12_000
LIMITS = (
    f"up to {MAX_JPEG_PIXELS // 1_000_000} megapixels as JPEG, {MAX_PIXELS // 1_000_000} otherwise, and"
    f" {MAX_SIDE:,} pixels in width and height"
)
"""The limits in words."""
QUALITY = 80

# Pillow's own limit only warns; `_open` checks MAX_PIXELS before it decodes any pixel.
Image.MAX_IMAGE_PIXELS = None
# Pillow raises any of these, depending on where a file is broken.
_BROKEN = (OSError, SyntaxError, ArithmeticError, LookupError, ValueError, TypeError, struct.error)
_one_at_a_time = threading.Lock()  # several large pictures at once could exhaust the memory


@dataclass(frozen=True)
class Picture:
    """A picture in all widths; `id` is a hash of the uploaded file."""

    id: str
    width: int
    height: int
    files: dict[str, bytes]
    """Names and contents: `<id>-<width>.webp`, one for each of WIDTHS."""


def render(data: bytes) -> Picture:
    """Convert an uploaded file. Slow: call it outside of transactions.

    Raises:
        Invalid: on `file`: not a picture, of another format, broken, or too large.
    """
    picture_id = hashlib.sha256(data).hexdigest()[:32]
    with _one_at_a_time:
        image = _open(data)
        files = {file_name(picture_id, width): _encode(image, width) for width in WIDTHS}
    width, height = _size_at(image, WIDTHS[-1])
    return Picture(picture_id, width, height, files)


def _open(data: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _refuse_large(image)
            image.draft("RGB", (WIDTHS[-1], WIDTHS[-1]))  # a JPEG can be decoded at a smaller size
            return _plain(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise Invalid({"file": [f"Not a picture. Send {', '.join(FORMATS)}."]}) from None
    except _BROKEN:
        raise Invalid({"file": ["The picture is broken."]}) from None


def _refuse_large(image: Image.Image) -> None:
    """Check the size of a picture before its pixels are decoded."""
    width, height = image.size
    # Of a JPEG in CMYK, four colours are decoded.
    is_small_to_decode = image.format == "JPEG" and image.mode in ("RGB", "L")
    limit = MAX_JPEG_PIXELS if is_small_to_decode else MAX_PIXELS
    size = f"The picture has {width:,} × {height:,} pixels"
    if max(width, height) > MAX_SIDE:
        raise Invalid({"file": [f"{size}: at most {MAX_SIDE:,} in width and height."]})
    if width * height > limit:
        megapixels = f"{width * height / 1_000_000:.1f} megapixels"
        what = "a JPEG" if is_small_to_decode else f"a picture like this ({image.format})"
        raise Invalid({"file": [f"{size}, {megapixels}: at most {limit // 1_000_000} in {what}."]})


def _plain(image: Image.Image) -> Image.Image:
    """The pixels in sRGB, with transparency if there is any."""
    image = _in_eight_bits(image)
    has_alpha = image.has_transparency_data
    profile = image.info.get("icc_profile")
    plain = image.convert("RGBA" if has_alpha else "RGB")
    return plain if has_alpha or not profile else _in_srgb(image, profile) or plain


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Scale greys of 16 bits to 8 bits: Pillow would turn all values above 255 into white."""
    if not image.mode.startswith("I"):
        return image
    return image.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None  # a profile that does not fit is ignored


def _encode(image: Image.Image, width: int) -> bytes:
    size = _size_at(image, width)
    smaller = image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
    smaller.info.clear()
    out = io.BytesIO()
    smaller.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


def _size_at(image: Image.Image, width: int) -> tuple[int, int]:
    """The size at this width; a smaller picture keeps its own."""
    width = min(width, image.width)
    return width, max(1, round(image.height * width / image.width))
