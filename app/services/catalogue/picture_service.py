"""The pictures of a product: added, put in order, described, taken away.

They stand on the product's row, in the order in which they are shown. Their files are kept by
content, so several products may share one, and taking a picture away leaves them.
"""

from app.domain.catalogue.images import MAX_IMAGES, StoredImage
from app.domain.people.actor import SYSTEM, Actor
from app.errors import Conflict, NotFound
from app.models import Product
from app.services import product_service
from app.services.catalogue import product_queries
from app.services.catalogue.pictures import Picture


def refuse_unknown(address: str) -> None:
    """Spare the work of making a picture fit for a product that does not exist.

    Raises:
        NotFound
    """
    product_queries.get_product(SYSTEM, address)


def add_picture(actor: Actor, address: str, picture: Picture, alt: str) -> Product:
    """Show one more picture of a product, as the last; one that it has already stays where it is,
    so that an upload may be repeated.

    Raises:
        NotFound: there is no such product.
        Conflict: `too_many_images`.
    """
    product = product_service.lock_product(address)
    if any(image["id"] == picture.id for image in product.images):
        return product
    if len(product.images) >= MAX_IMAGES:
        raise Conflict("too_many_images", f"A product shows at most {MAX_IMAGES} pictures.")
    image: StoredImage = {
        "id": picture.id, "alt": alt, "width": picture.width, "height": picture.height,
    }  # fmt: skip
    return product_service.edit_locked(actor, product, {}, [*product.images, image])


def remove_picture(actor: Actor, address: str, picture_id: str) -> Product:
    """Show a picture no longer.

    Raises:
        NotFound: there is no such product, or it has no such picture.
    """
    product = product_service.lock_product(address)
    rest = [image for image in product.images if image["id"] != picture_id]
    if len(rest) == len(product.images):
        raise NotFound("image")
    return product_service.edit_locked(actor, product, {}, rest)
