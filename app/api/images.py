"""Routes to add and remove pictures of products, for staff. PATCH of a product arranges them."""

from typing import Any

from flask import Response, url_for
from flask_smorest.fields import Upload
from marshmallow import ValidationError
from werkzeug.datastructures import FileStorage

from app.db.unit_of_work import in_transaction
from app.domain.catalogue.images import MAX_ALT
from app.schemas.base import Body, Name, ShopSchema, Text
from app.schemas.products import ImageSchema, show_image
from app.services.catalogue import picture_service
from app.services.catalogue.pictures import LIMITS, Picture
from app.utils.decorators import admin_required
from app.web.answers import json_response
from app.web.blueprints import ShopBlueprint, takes_if_match
from app.web.callers.identity import current_actor
from app.web.catalogue_answers import product_etag
from app.web.keyed_requests import once, takes_key
from app.web.preconditions import current_precondition
from app.web.uploads import stored_picture

blp = ShopBlueprint("images", __name__, url_prefix="/api/products")
IMAGE = ImageSchema()


class UploadedFile(Upload):
    """A file; a form may send plain text under the same name."""

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> FileStorage:
        if not isinstance(value, FileStorage):
            raise ValidationError("Send a file.")
        return value


class NewImageSchema(ShopSchema):
    """A picture to be shown."""

    file = UploadedFile(
        required=True, metadata={"description": f"JPEG, PNG, WebP or GIF, {LIMITS}."}
    )
    alt = Text(
        MAX_ALT,
        load_default="",
        metadata={"description": "A text alternative: what the picture shows."},
    )


@blp.post("/<product>/images")
@takes_if_match
@admin_required
@blp.arguments(NewImageSchema, location="files", unknown=None)
@blp.response(201, IMAGE)
@takes_key
def add_image(fields: dict[str, Any], product: str) -> Response:
    """Add a picture at the end. It is re-encoded in three widths. Sending it again adds nothing.

    `If-Match` and the answer's ETag are those of the product.
    """
    actor, condition = current_actor(), current_precondition(creates=True)
    picture_service.refuse_unknown(product)

    def add(picture: Picture) -> Response:
        row = picture_service.add_picture(actor, product, picture, fields["alt"], condition)
        image = next(show_image(image) for image in row.images if image["id"] == picture.id)
        location = url_for("products.get_product", product=row.id)
        return json_response(
            IMAGE.dump(image), 201, {"Location": location, **product_etag(row, actor)}
        )

    with stored_picture(fields["file"]) as picture:
        return once(lambda: add(picture))


@blp.delete("/<product>/images/<image>")
@takes_if_match
@admin_required
@blp.response(204)
def remove_image(product: str, image: str) -> tuple[None, dict[str, str]]:
    """Remove a picture from a product. `If-Match` and the answer's ETag are those of the product."""
    actor, condition = current_actor(), current_precondition()
    row = in_transaction(lambda: picture_service.remove_picture(actor, product, image, condition))
    return None, product_etag(row, actor)
