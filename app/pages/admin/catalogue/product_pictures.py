"""The pictures of a product: forms to add, describe, arrange and remove them."""

from typing import Any, cast

from flask import Response, flash, request, url_for
from marshmallow import Schema
from werkzeug.exceptions import RequestEntityTooLarge

from app.db.unit_of_work import in_transaction
from app.domain.catalogue.product_input import ProductInput
from app.domain.conditions import at_version
from app.errors import Invalid, ShopError
from app.models import Product
from app.pages.admin.base import AdminBlueprint, admin_form, explain_conflict, file_too_large
from app.pages.blueprint import see_other
from app.pages.forms import EMPTY, Form, parse_whole
from app.schemas.products import ImageSchema, ProductSchema, show_image
from app.services import product_service
from app.services.catalogue import picture_service, product_queries
from app.services.catalogue.pictures import LIMITS
from app.web.callers.identity import current_actor
from app.web.uploads import stored_picture

blp = AdminBlueprint(
    "products_pictures", __name__, url_prefix="/admin/products/<product>/pictures", takes_files=True
)
DESCRIPTION, ARRANGEMENT = ImageSchema(only=["alt"]), ProductSchema(only=["images"], partial=True)
PLACE = "place-"


class ArrangementForm(Form):
    """All pictures of a product, with `place-<id>`, `alt-<id>` and `remove-<id>` of each."""

    @property
    def ids(self) -> list[str]:
        """The pictures that stay, in their new order.

        Moving up inserts before the picture at that position, moving down after it.
        """
        names = [name for name in self.values if name.startswith(PLACE)]
        order = []
        for old, name in enumerate(names, 1):
            number = parse_whole(self.value(name))
            new = number if isinstance(number, int) else old
            order.append((new, (new > old) - (new < old), old, name.removeprefix(PLACE)))
        return [id_ for *_key, id_ in sorted(order) if f"remove-{id_}" not in self.values]

    def show_refusal(self, refusal: ShopError) -> None:
        """Keep a refusal, with its messages beside the pictures that they are about."""
        super().show_refusal(refusal)
        parts = [(name.split("."), words) for name, words in self.errors.items()]
        self.errors = {
            f"{name[2]}-{self.ids[int(name[1])]}": words for name, words in parts if len(name) == 3
        }

    def _load(self, schema: Schema) -> dict[str, Any]:
        images = [{"id": id_, "alt": self.value(f"alt-{id_}")} for id_ in self.ids]
        return self._read(schema, {"images": images})


@blp.get("")
def show(product: str) -> Response:
    """All pictures of a product."""
    return _page(product, Form())


@blp.post("")
def add(product: str) -> Response:
    """Add a picture, as the last."""
    actor, form = current_actor(), Form.from_request()
    picture_service.refuse_unknown(product)

    def store(fields: dict[str, str]) -> Product:
        file = request.files.get("file")
        if not file:
            raise Invalid({"file": [EMPTY]})
        alt = fields.get("alt", "")
        with stored_picture(file) as picture:
            return in_transaction(lambda: picture_service.add_picture(actor, product, picture, alt))

    return _answer(product, form, form.carry_out(DESCRIPTION, store), "The picture was added.")


@blp.post("/arrange")
def arrange(product: str) -> Response:
    """Describe pictures, put them in order, take some away."""
    actor, form = current_actor(), ArrangementForm.from_request()
    row = form.carry_out(
        ARRANGEMENT,
        lambda changes: in_transaction(
            lambda: product_service.edit_product(
                actor, product, cast(ProductInput, changes), at_version(form.value("version"))
            )
        ),
    )
    return _answer(product, form, row, "The pictures are saved.")


@blp.errorhandler(RequestEntityTooLarge)
def refuse_large(_error: RequestEntityTooLarge) -> Response:
    """Show beside the form that the file is too large."""
    return _page((request.view_args or {})["product"], file_too_large())


def _answer(product: str, form: Form, row: Product | None, message: str) -> Response:
    if row is None:
        return _page(product, form)
    flash(message)
    return see_other(url_for(".show", product=row.id))


def _page(product: str, form: Form) -> Response:
    row = product_queries.get_product(current_actor(), product)
    explain_conflict(form, row)
    images = [show_image(image) for image in row.images]
    return admin_form("product_pictures.html", form, product=row, images=images, limits=LIMITS)
