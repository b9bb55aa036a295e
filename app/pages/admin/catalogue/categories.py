"""The category tree for staff: the list, and forms to add, change and delete a category."""

from typing import Any, cast

from flask import Response, flash, url_for
from marshmallow import Schema

from app.domain.conditions import at_version
from app.models import Category
from app.pages.admin.base import AdminBlueprint, admin_form, admin_page, explain_conflict, once
from app.pages.admin.catalogue.tree import tree, without_branch
from app.pages.blueprint import see_other
from app.pages.forms import Form, parse_whole
from app.schemas.base import ShopSchema
from app.schemas.categories import CategorySchema
from app.services.catalogue import category_service
from app.services.catalogue.category_service import CategoryInput
from app.web.callers.identity import current_actor

blp = AdminBlueprint("categories", __name__, url_prefix="/admin/categories")
NEW, CHANGES, NOTHING = CategorySchema(), CategorySchema(partial=True), ShopSchema()
FIELDS = ("name", "slug", "description", "parent_id", "position", "version")


class CategoryForm(Form):
    """A category. The shop makes an empty slug from the name; without a parent it is at the top."""

    def _load(self, schema: Schema) -> dict[str, Any]:
        body: dict[str, object] = {
            "name": self.value("name"),
            "description": self.value("description"),
            "parent_id": parse_whole(self.value("parent_id")) or None,
            "position": parse_whole(self.value("position").strip() or "0"),
        }
        if self.value("slug").strip():
            body["slug"] = self.value("slug")
        return self._read(schema, body)


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

    def save(fields: dict[str, object]) -> int:
        category = cast(CategoryInput, fields)
        return once(lambda: category_service.create_category(actor, category).category.id)

    category_id = form.carry_out(NEW, save)
    return _new(form) if category_id is None else _done(form, "is in the tree.")


@blp.get("/<category>")
def show_category(category: str) -> Response:
    """A category, to be changed."""
    row = category_service.get_category(category).category
    return _one(CategoryForm({name: getattr(row, name) for name in FIELDS}), row)


@blp.post("/<category>")
def change(category: str) -> Response:
    """Change a category, or move it elsewhere in the tree."""
    actor, form = current_actor(), CategoryForm.from_request()

    def save(fields: dict[str, object]) -> int:
        changes, version = cast(CategoryInput, fields), at_version(form.value("version"))
        return once(
            lambda: category_service.edit_category(actor, category, changes, version).category.id
        )

    category_id = form.carry_out(CHANGES, save)
    if category_id is None:
        row = category_service.get_category(category).category
        explain_conflict(form, row)
        return _one(form, row)
    return _done(form, "is saved.")


@blp.get("/<category>/delete")
def confirm_deletion(category: str) -> Response:
    """Ask whether a category is really to be deleted."""
    return _confirm(category, Form())


@blp.post("/<category>/delete")
def delete(category: str) -> Response:
    """Remove a category, which has to be empty."""
    actor, form = current_actor(), Form.from_request()
    version = at_version(form.value("version"))
    deletion = form.carry_out(
        NOTHING,
        lambda _nothing: once(lambda: category_service.delete_category(actor, category, version)),
    )
    if deletion is None:
        return _confirm(category, form)
    flash("The category is deleted.")
    return see_other(url_for(".list_categories"))


def _new(form: Form) -> Response:
    return admin_form("category.html", form, category=None, parents=tree())


def _one(form: Form, category: Category) -> Response:
    return admin_form(
        "category.html", form, category=category, parents=without_branch(tree(), category.id)
    )


def _confirm(category: str, form: Form) -> Response:
    entry = category_service.get_category(category)
    return admin_form("category_delete.html", form, entry=entry)


def _done(form: CategoryForm, what: str) -> Response:
    flash(f"{form.value('name').strip()} {what}")
    return see_other(url_for(".list_categories"))
