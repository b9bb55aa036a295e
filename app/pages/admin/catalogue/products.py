"""Products for staff: the list, and forms to add, change and delete a product."""

from typing import cast

from flask import Response, flash, request, url_for
from marshmallow import fields
from marshmallow.validate import OneOf

from app.db.paging import MAX_DEPTH
from app.db.unit_of_work import in_transaction
from app.domain.catalogue.product_input import ProductInput
from app.domain.conditions import at_version
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
ARGS = QuerySchema.from_dict(
    {
        "q": Text(200, load_default=""),
        "category": Text(200, load_default=""),
        **{name: fields.Boolean(load_default=None) for name in CHOICES},
        "sort": fields.String(load_default=None, validate=OneOf(list(SORTS))),
        "page": Number(1, MAX_DEPTH, load_default=1),
    },
    name="ProductArgs",
)()


@blp.get("")
def list_products() -> Response:
    """Products by words, category, and whether they are on sale and in stock."""
    values = read_query(ARGS)
    page = min(values.pop("page"), MAX_DEPTH // PER_PAGE)
    query = ProductQuery(**values, page=page, per_page=PER_PAGE)
    return admin_page(
        "products.html",
        products=product_queries.list_products(current_actor(), query),
        query=query,
        choices=CHOICES,
        sorts=SORTS,
        tree=tree(),
        page_href=page_href(ARGS),
    )


@blp.get("/new")
def show_new() -> Response:
    """The form for another product."""
    return _new(ProductForm({"is_active": "1"}))


@blp.post("/new")
def create() -> Response:
    """Add a product."""
    actor, form = current_actor(), ProductForm.from_request()
    if form.add_rows():
        return _new(form)

    def save(fields: dict[str, object]) -> int:
        return once(lambda: product_service.create_product(actor, cast(ProductInput, fields)).id)

    product_id = form.carry_out(NEW, save)
    if product_id is None:
        return _new(form)
    flash(f"{form.value('name').strip()} was added. You can add pictures now.")
    return see_other(url_for(".show_product", product=product_id))


@blp.get("/<product>")
def show_product(product: str) -> Response:
    """The form for a product and its variants."""
    row = product_queries.get_product(current_actor(), product)
    return _one(ProductForm.of(row), row)


@blp.post("/<product>")
def change(product: str) -> Response:
    """Change a product and its variants, unless somebody else changed it meanwhile."""
    actor, form = current_actor(), ProductForm.from_request()
    if form.add_rows():
        return _one(form, product_queries.get_product(actor, product))

    def save(fields: dict[str, object]) -> int:
        changes, version = cast(ProductInput, fields), at_version(form.value("version"))
        return once(lambda: product_service.edit_product(actor, product, changes, version).id)

    product_id = form.carry_out(CHANGES, save)
    if product_id is None:
        row = product_queries.get_product(actor, product)
        explain_conflict(form, row)
        return _one(form, row)
    flash("The product is saved.")
    return see_other(url_for(".show_product", product=product_id))


@blp.post("/<product>/on-sale")
def put_on_sale(product: str) -> Response:
    """Put a product on sale, or take it off."""
    actor, changes = current_actor(), ProductInput(is_active=request.form.get("is_active") == "1")
    row = in_transaction(lambda: product_service.edit_product(actor, product, changes))
    flash(f"{row.name} is {'on sale' if row.is_active else 'off sale'} now.")
    return see_other(url_for(".show_product", product=row.id))


@blp.post("/<product>/free-sku")
def free_sku(product: str) -> Response:
    """Give a variant that is off sale another SKU."""
    actor, form = current_actor(), Form.from_request()
    sku = form.value("free_sku").strip()
    outcome = form.carry_out(
        NOTHING,
        lambda _nothing: in_transaction(lambda: product_service.free_sku(actor, product, sku)),
    )
    if outcome is None:
        row = product_queries.get_product(actor, product)
        product_form = ProductForm.of(row)
        product_form.status, product_form.problem = form.status, form.problem
        product_form.errors = {"free_sku": form.errors.get("sku", [])}
        return _one(product_form, row)
    flash(f"The SKU {sku} is free.")
    return see_other(url_for(".show_product", product=outcome.id))


@blp.get("/<product>/delete")
def confirm_deletion(product: str) -> Response:
    """Ask whether a product is really to be deleted."""
    row = product_queries.get_product(current_actor(), product)
    return admin_form("product_delete.html", Form(), product=row)


@blp.post("/<product>/delete")
def delete(product: str) -> Response:
    """Delete a product, unless it has changed since the page was rendered."""
    actor, form = current_actor(), Form.from_request()
    version = at_version(form.value("version"))
    deletion = form.carry_out(
        NOTHING,
        lambda _nothing: once(lambda: product_service.delete_product(actor, product, version)),
    )
    if deletion is None:
        row = product_queries.get_product(actor, product)
        return admin_form("product_delete.html", form, product=row)
    flash("The product is deleted.")
    return see_other(url_for(".list_products"))


def _new(form: ProductForm) -> Response:
    return admin_form("product.html", form, product=None, tree=tree())


def _one(form: ProductForm, product: Product) -> Response:
    figures = {str(variant.id): variant.available for variant in product.variants}
    return admin_form("product.html", form, product=product, figures=figures, tree=tree())
