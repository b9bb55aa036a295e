"""The category tree for staff: looked at, added to, changed, pruned."""

from typing import Any

from flask import Response, flash, url_for
from marshmallow import Schema

from app.errors import ShopError
from app.models import Category
from app.pages.admin.base import AdminBlueprint, admin_form, admin_page, explain_conflict, once
from app.pages.admin.catalogue.tree import outside, tree
from app.pages.blueprint import see_other
from app.pages.forms import Form, parse_whole
from app.schemas.base import ShopSchema
from app.schemas.categories import CategorySchema
from app.services.catalogue import category_service
from app.web.callers.identity import current_actor

blp = AdminBlueprint("categories", __name__, url_prefix="/admin/categories")
NEW, CHANGES, NOTHING = CategorySchema(), CategorySchema(partial=True), ShopSchema()
FIELDS = ("name", "slug", "description", "parent_id", "position", "version")


class CategoryForm(Form):
    """A category: an empty slug is left to the shop, an empty parent is the top of the tree."""

    def show_refusal(self, refusal: ShopError) -> None:
        """Keep a refusal; a slug that is taken is told beside its field."""
        super().show_refusal(refusal)
        if refusal.code == "slug_taken":
            self.errors = {"slug": [refusal.detail]}

    def _load(self, schema: Schema) -> dict[str, Any]:
        sent: dict[str, Any] = {
            name: self.value(name)
            for name in ("name", "slug", "description")
            if name != "slug" or self.value(name).strip()
        }
        sent["parent_id"] = parse_whole(self.value("parent_id")) or None
        sent["position"] = parse_whole(self.value("position").strip() or "0")
        return self._read(schema, sent)


@blp.get("")
def list_categories() -> Response:
    """The whole tree, with how many products are on sale in each branch."""
    return admin_page("categories.html", tree=tree())


@blp.get("/new")
def show_new() -> Response:
    """The form for another category."""
    return _new(CategoryForm({"position": 0}))


@blp.post("/new")
def create() -> Response:
    """Add a category."""
    actor, form = current_actor(), CategoryForm.from_request()
    made = form.carry_out(
        NEW,
        lambda facts: once(lambda: category_service.create_category(actor, **facts).category.id),
    )
    return _new(form) if made is None else _done(form, "is in the tree.")


@blp.get("/<category>")
def show_category(category: str) -> Response:
    """A category, to be changed."""
    found = category_service.get_category(category).category
    return _one(CategoryForm({name: getattr(found, name) for name in FIELDS}), found)


@blp.post("/<category>")
def change(category: str) -> Response:
    """Change a category, or move it elsewhere in the tree."""
    actor, form = current_actor(), CategoryForm.from_request()
    changed = form.carry_out(
        CHANGES,
        lambda changes: once(
            lambda: (
                category_service.edit_category(
                    actor, category, changes, [form.value("version")]
                ).category.id
            )
        ),
    )
    if changed is None:
        found = category_service.get_category(category).category
        explain_conflict(form, found)
        return _one(form, found)
    return _done(form, "is saved.")


@blp.get("/<category>/delete")
def confirm_deletion(category: str) -> Response:
    """Ask whether a category is really to be deleted."""
    found = category_service.get_category(category)
    return admin_form("category_delete.html", Form(), found=found)


@blp.post("/<category>/delete")
def delete(category: str) -> Response:
    """Remove a category, which has to be empty."""
    actor, form = current_actor(), Form.from_request()

    gone = form.carry_out(
        NOTHING, lambda _nothing: once(lambda: category_service.delete_category(actor, category))
    )
    if gone is None:
        found = category_service.get_category(category)
        return admin_form("category_delete.html", form, found=found)
    flash("The category is deleted.")
    return see_other(url_for(".list_categories"))


def _new(form: Form) -> Response:
    return admin_form("category.html", form, category=None, parents=tree())


def _one(form: Form, category: Category) -> Response:
    return admin_form(
        "category.html", form, category=category, parents=outside(tree(), category.id)
    )


def _done(form: CategoryForm, what: str) -> Response:
    flash(f"{form.value('name').strip()} {what}")
    return see_other(url_for(".list_categories"))
