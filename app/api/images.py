"""Doors of products' pictures, for staff: added and taken away. PATCH of a product arranges them."""

from typing import Any

from flask_smorest.fields import Upload
from marshmallow import ValidationError
from werkzeug.datastructures import FileStorage

from app.db.unit_of_work import in_transaction
from app.domain.catalogue.images import MAX_ALT
from app.models import Product
from app.schemas.base import ShopSchema, Text
from app.schemas.products import ImageSchema, show_image
from app.services.catalogue import picture_service
from app.utils.decorators import admin_required
from app.web.blueprints import ShopBlueprint
from app.web.callers.identity import current_actor
from app.web.uploads import keep_picture

blp = ShopBlueprint("images", __name__, url_prefix="/api/products")


class SentFile(Upload):
    """A file; a form may send plain text under the same name."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> FileStorage:
        if not isinstance(value, FileStorage):
            raise ValidationError("Send a file.")
        return value


class NewImageSchema(ShopSchema):
    """A picture to be shown."""

    file = SentFile(required=True, metadata={"description": "JPEG, PNG, WebP or GIF."})
    alt = Text(
        MAX_ALT,
        load_default="",
        metadata={"description": "A text alternative: what the picture shows."},
    )


@blp.post("/<product>/images")
@admin_required
@blp.arguments(NewImageSchema, location="files", unknown=None)
@blp.response(201, ImageSchema)
def add_image(sent: dict[str, Any], product: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Add a picture at the end. It is re-encoded in three widths. Sending it again adds nothing."""
    picture_service.refuse_unknown(product)
    picture = keep_picture(sent["file"])
    alt = sent["alt"]
    shown = in_transaction(
        lambda: picture_service.add_picture(current_actor(), product, picture, alt)
    )
    return _view(shown, picture.id), 201, {"Location": f"/api/products/{shown.id}"}


@blp.delete("/<product>/images/<image>")
@admin_required
@blp.response(204)
def remove_image(product: str, image: str) -> None:
    """Remove a picture from a product."""
    in_transaction(lambda: picture_service.remove_picture(current_actor(), product, image))


def _view(product: Product, picture_id: str) -> dict[str, Any]:
    return next(show_image(image) for image in product.images if image["id"] == picture_id)
