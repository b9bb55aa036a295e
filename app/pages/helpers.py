"""Functions that templates call."""

from flask import Flask

from app.pages.csrf import csrf_token
from app.pages.form_address import form_address
from app.pages.formats import countries, number
from app.pages.pictures import inline_picture
from app.pages.shop.seo import absolute, images
from app.pages.statics import static
from app.pages.store import store
from app.schemas.products import show_image

LOW_STOCK = 5
"""Below this many units, the page says how many are left."""


def register(app: Flask) -> None:
    """Register the functions, and remove the lines of template tags from the output."""
    app.jinja_env.globals.update(
        absolute=absolute, countries=countries, csrf_token=csrf_token, form_address=form_address, picture=inline_picture,
        product_images=images, show_image=show_image, static=static, stock_words=stock_words, store=store,
    )  # fmt: skip
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def stock_words(units: int) -> str:
    """The available units in words."""
    if units == 0:
        return "Sold out"
    return f"Only {number(units)} left" if units < LOW_STOCK else f"{number(units)} in stock"
