"""Adds pictures to products and removes them.

They are stored on the product's row, in the order in which they are shown. Their files are named by
content, so that several products may share one; removing a picture leaves its files.
"""

from app.domain.catalogue.images import MAX_IMAGES, StoredImage
from app.domain.conditions import UNCONDITIONAL, Precondition
from app.domain.people.actor import SYSTEM, Actor
from app.errors import Conflict, NotFound
from app.models import Product
from app.services import product_service
from app.services.catalogue import product_queries
from app.services.catalogue.pictures import Picture


def refuse_unknown(address: str) -> None:
    """Check that a product exists, before a picture is converted for it.

    Raises:
        NotFound
    """
    product_queries.get_product(SYSTEM, address)


def add_picture(
    actor: Actor,
    address: str,
    picture: Picture,
    alt: str,
    precondition: Precondition = UNCONDITIONAL,
) -> Product:
    """Add a picture to a product, as the last. One that it has already stays where it is, so that an
    upload may be repeated.

    Raises:
        NotFound: there is no such product.
        Conflict: `too_many_images`.
        PreconditionFailed: the product is in another state than the precondition allows.
    """
    product = product_service.lock_product(address)
    if any(image["id"] == picture.id for image in product.images):
        precondition.check(product)
        return product
    if len(product.images) >= MAX_IMAGES:
        raise Conflict("too_many_images", f"A product can have at most {MAX_IMAGES} pictures.")
    precondition.check(product)
    image: StoredImage = {
        "id": picture.id, "alt": alt, "width": picture.width, "height": picture.height,
    }  # fmt: skip
    return product_service.edit_locked(actor, product, {}, [*product.images, image])


def remove_picture(
    actor: Actor,
    address: str,
    picture_id: str,
    precondition: Precondition = UNCONDITIONAL,
) -> Product:
    """Remove a picture from a product.

    Raises:
        NotFound: there is no such product, or it has no such picture.
        PreconditionFailed: the product is in another state than the precondition allows.
    """
    product = product_service.lock_product(address)
    images = [image for image in product.images if image["id"] != picture_id]
    if len(images) == len(product.images):
        raise NotFound("image")
    precondition.check(product)
    return product_service.edit_locked(actor, product, {}, images)
