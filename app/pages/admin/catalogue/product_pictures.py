"""The pictures of a product: sent, described, put in order, taken away."""

from typing import Any, cast

from flask import Response, flash, request, url_for
from marshmallow import Schema
from werkzeug.exceptions import RequestEntityTooLarge

from app.db.unit_of_work import in_transaction
from app.domain.catalogue.product_input import ProductInput
from app.errors import Invalid, ShopError
from app.models import Product
from app.pages.admin.base import AdminBlueprint, admin_form, explain_conflict, file_too_large
from app.pages.blueprint import see_other
from app.pages.forms import EMPTY, Form, parse_whole
from app.schemas.products import ImageSchema, ProductSchema, show_image
from app.services import product_service
from app.services.catalogue import picture_service, product_queries
from app.web.callers.identity import current_actor
from app.web.uploads import allow_large_body, keep_picture


def _allow_pictures() -> None:
    if request.mimetype == "multipart/form-data":
        allow_large_body(request)


blp = AdminBlueprint(
    "products_pictures",
    __name__,
    url_prefix="/admin/products/<product>/pictures",
    before_forms=[_allow_pictures],
)
DESCRIBED, ARRANGED = ImageSchema(only=["alt"]), ProductSchema(only=["images"], partial=True)
PLACE = "place-"


class ArrangedForm(Form):
    """Pictures as they are to be: `place-<id>`, `alt-<id>` and `remove-<id>` of each."""

    @property
    def ids(self) -> list[str]:
        """The pictures that stay, in the order that is wanted.

        One that is moved comes before the one whose place it takes, or behind it, if it came from
        above.
        """
        names = [name for name in self.values if name.startswith(PLACE)]
        wanted = []
        for now, name in enumerate(names, 1):
            given = parse_whole(self.value(name))
            place = given if isinstance(given, int) else now
            wanted.append((place, (place > now) - (place < now), name.removeprefix(PLACE)))
        return [id_ for *_order, id_ in sorted(wanted, key=lambda wish: wish[:2])
                if f"remove-{id_}" not in self.values]  # fmt: skip

    def show_refusal(self, refusal: ShopError) -> None:
        """Keep a refusal, and tell it beside the picture that it is about."""
        super().show_refusal(refusal)
        told = [(name.split("."), words) for name, words in self.errors.items()]
        self.errors = {
            f"{name[2]}-{self.ids[int(name[1])]}": words for name, words in told if len(name) == 3
        }

    def _load(self, schema: Schema) -> dict[str, Any]:
        wishes = [{"id": id_, "alt": self.value(f"alt-{id_}")} for id_ in self.ids]
        return self._read(schema, {"images": wishes})


@blp.get("")
def show(product: str) -> Response:
    """All pictures of a product."""
    return _page(product, Form())


@blp.post("")
def add(product: str) -> Response:
    """Add a picture, as the last."""
    actor, form = current_actor(), Form.from_request()
    picture_service.refuse_unknown(product)

    def keep(facts: dict[str, Any]) -> Product:
        file = request.files.get("file")
        if not file:
            raise Invalid({"file": [EMPTY]})
        picture, alt = keep_picture(file), facts.get("alt", "")
        return in_transaction(lambda: picture_service.add_picture(actor, product, picture, alt))

    return _answer(product, form, form.carry_out(DESCRIBED, keep), "The picture is there.")


@blp.post("/arrange")
def arrange(product: str) -> Response:
    """Describe pictures, put them in order, take some away."""
    actor, form = current_actor(), ArrangedForm.from_request()
    changed = form.carry_out(
        ARRANGED,
        lambda changes: in_transaction(
            lambda: product_service.edit_product(
                actor, product, cast(ProductInput, changes), [form.value("version")]
            )
        ),
    )
    return _answer(product, form, changed, "The pictures are saved.")


@blp.errorhandler(RequestEntityTooLarge)
def refuse_large(_error: RequestEntityTooLarge) -> Response:
    """Say beside the form what a picture may weigh."""
    return _page((request.view_args or {})["product"], file_too_large())


def _answer(product: str, form: Form, changed: Product | None, message: str) -> Response:
    if changed is None:
        return _page(product, form)
    flash(message)
    return see_other(url_for(".show", product=changed.id))


def _page(product: str, form: Form) -> Response:
    found = product_queries.get_product(current_actor(), product)
    explain_conflict(form, found)
    images = [show_image(image) for image in found.images]
    return admin_form("product_pictures.html", form, product=found, images=images)
