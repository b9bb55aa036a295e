"""The staff's pages of products: list, create, edit, put on and off sale, delete."""

from typing import cast

from flask import Response, flash, request, url_for
from marshmallow import fields
from marshmallow.validate import OneOf

from app.db.paging import MAX_DEPTH
from app.db.unit_of_work import in_transaction
from app.domain.catalogue.product_input import ProductInput
from app.models import Product
from app.pages.admin.base import (
    AdminBlueprint,
    admin_form,
    admin_page,
    explain_conflict,
    once,
    page_href,
    read_query,
)
from app.pages.admin.catalogue.product_form import ProductForm
from app.pages.admin.catalogue.tree import tree
from app.pages.blueprint import see_other
from app.pages.forms import Form
from app.schemas.base import Number, QuerySchema, ShopSchema, Text
from app.schemas.products import ProductSchema
from app.services import product_service
from app.services.catalogue import product_queries
from app.services.catalogue.product_filters import FILTERS, ProductQuery
from app.web.callers.identity import current_actor

blp = AdminBlueprint("products", __name__, url_prefix="/admin/products")
NEW, CHANGES = ProductSchema(), ProductSchema(partial=True)
NOTHING = ShopSchema()
SORTS = {
    "": "Newest",
    "created_at": "Oldest",
    "name": "Name",
    "price": "Price, low to high",
    "-price": "Price, high to low",
}
PER_PAGE = 25


CHOICES = {name: each.staff for name, each in FILTERS.items() if each.staff}
SIEVE = QuerySchema.from_dict(
    {
        "q": Text(200, load_default=""),
        "category": Text(200, load_default=""),
        **{name: fields.Boolean(load_default=None) for name in CHOICES},
        "sort": fields.String(load_default=None, validate=OneOf(list(SORTS))),
        "page": Number(1, MAX_DEPTH, load_default=1),
    },
    name="ProductSieve",
)()


@blp.get("")
def list_products() -> Response:
    """Products by words, category, and whether they are on sale and in stock."""
    values = read_query(SIEVE)
    page = min(values.pop("page"), MAX_DEPTH // PER_PAGE)
    query = ProductQuery(**values, page=page, per_page=PER_PAGE)
    return admin_page(
        "products.html",
        products=product_queries.list_products(current_actor(), query),
        query=query,
        choices=CHOICES,
        sorts=SORTS,
        tree=tree(),
        page_href=page_href(SIEVE),
    )


@blp.get("/new")
def show_new() -> Response:
    """The form for another product."""
    return _new(ProductForm({"is_active": "1"}))


@blp.post("/new")
def create() -> Response:
    """Create a product."""
    actor, form = current_actor(), ProductForm.from_request()
    if form.redraw():
        return _new(form)
    made = form.carry_out(
        NEW,
        lambda fields: once(
            lambda: product_service.create_product(actor, cast(ProductInput, fields)).id
        ),
    )
    if made is None:
        return _new(form)
    flash(f"{form.value('name').strip()} is in the catalogue. Pictures can be added now.")
    return see_other(url_for(".show_product", product=made))


@blp.get("/<product>")
def show_product(product: str) -> Response:
    """A product with its variants, to be changed."""
    found = product_queries.get_product(current_actor(), product)
    return _one(ProductForm.of(found), found)


@blp.post("/<product>")
def change(product: str) -> Response:
    """Change a product and its variants, unless somebody else has meanwhile."""
    actor, form = current_actor(), ProductForm.from_request()
    if form.redraw():
        return _one(form, product_queries.get_product(actor, product))
    changed = form.carry_out(
        CHANGES,
        lambda changes: once(
            lambda: (
                product_service.edit_product(
                    actor, product, cast(ProductInput, changes), [form.value("version")]
                ).id
            )
        ),
    )
    if changed is None:
        found = product_queries.get_product(actor, product)
        explain_conflict(form, found)
        return _one(form, found)
    flash("The product is saved.")
    return see_other(url_for(".show_product", product=changed))


@blp.post("/<product>/on-sale")
def put_on_sale(product: str) -> Response:
    """Offer a product, or take it off sale; it keeps everything."""
    actor, changes = current_actor(), ProductInput(is_active=request.form.get("is_active") == "1")
    changed = in_transaction(lambda: product_service.edit_product(actor, product, changes))
    flash(f"{changed.name} is {'on sale' if changed.is_active else 'off sale'} now.")
    return see_other(url_for(".show_product", product=changed.id))


@blp.get("/<product>/delete")
def confirm_deletion(product: str) -> Response:
    """The page that asks whether to delete a product."""
    found = product_queries.get_product(current_actor(), product)
    return admin_form("product_delete.html", Form(), product=found)


@blp.post("/<product>/delete")
def delete(product: str) -> Response:
    """Take a product out of the catalogue, as it was when that was confirmed."""
    actor, form = current_actor(), Form.from_request()

    version = [form.value("version")]
    gone = form.carry_out(
        NOTHING,
        lambda _nothing: once(lambda: product_service.delete_product(actor, product, version)),
    )
    if gone is None:
        found = product_queries.get_product(actor, product)
        return admin_form("product_delete.html", form, product=found)
    flash("The product is deleted.")
    return see_other(url_for(".list_products"))


def _new(form: ProductForm) -> Response:
    return admin_form("product.html", form, product=None, tree=tree())


def _one(form: ProductForm, product: Product) -> Response:
    figures = {str(variant.id): variant.available for variant in product.variants}
    return admin_form("product.html", form, product=product, figures=figures, tree=tree())
