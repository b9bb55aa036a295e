"""Categories: the tree to which products belong."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

from sqlalchemy import Select, select, update

from app.db.bulk import among
from app.db.paging import NotACursor, Page, Slice, decode, encode, refuse_too_deep
from app.domain.catalogue import category_tree
from app.domain.conditions import UNCONDITIONAL, Precondition
from app.domain.people.actor import Actor
from app.domain.text import id_or_slug
from app.errors import Conflict, Invalid, NotFound
from app.extensions import db
from app.models import Category, Product
from app.models.paths import at_address
from app.services.audit import trail
from app.services.cache import catalogue_cache
from app.services.catalogue.slugs import choose_slug, refuse_other_slug

_TREE = "tree"
"""What cursors of categories call their order."""
_UNKNOWN = "There is no such category."


class CategoryInput(TypedDict, total=False):
    """What callers may set on a category. A missing key leaves the field as it is."""

    name: str
    slug: str
    description: str
    parent_id: int | None
    position: int


class CategoryWithCount(NamedTuple):
    """A category, and how many products are on sale in it and below it."""

    category: Category
    product_count: int


class Branch(NamedTuple):
    """A part of the tree: the categories from the root down to one, and those right below it."""

    trail: list[CategoryWithCount]
    children: list[CategoryWithCount]


class _Node(NamedTuple):
    id: int
    slug: str
    parent_id: int | None
    position: int
    offered: int


def list_categories(
    page: int, per_page: int, parent_id: int | None = None, only_children: bool = False
) -> Page[CategoryWithCount]:
    """Categories in tree order; with `only_children` those right below `parent_id` (None: the top).

    Raises:
        Invalid: `use_cursor`, where the page lies past what pages reach.
    """
    refuse_too_deep(page, per_page)
    rows = _listed(_in_tree_order(), parent_id, only_children)
    return Page(rows[(page - 1) * per_page : page * per_page], page, per_page, len(rows))


def slice_of_categories(
    cursor: str, per_page: int, parent_id: int | None = None, only_children: bool = False
) -> Slice[CategoryWithCount]:
    """The same after a cursor; an empty one starts.

    A cursor holds the place of a category in the tree rather than its id, and so outlives it.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    tree = _in_tree_order()
    rows = _listed(tree, parent_id, only_children)
    categories = {row.category.id: row.category for row in tree}

    def place(row: CategoryWithCount) -> list[tuple[int, int]]:
        return category_tree.place(row.category.id, categories)

    start = bisect_right(rows, _read_cursor(cursor), key=place) if cursor else 0
    part, rest = rows[start : start + per_page], rows[start + per_page :]
    return Slice(part, per_page, encode([_TREE, place(part[-1])]) if rest else None)


def _read_cursor(cursor: str) -> list[tuple[int, int]]:
    try:
        name, steps = decode(cursor)
        place = [(position, id_) for position, id_ in steps]
        if name != _TREE or not all(type(number) is int for step in place for number in step):
            raise ValueError("a cursor of another list")
    except (ValueError, TypeError, RecursionError):
        raise NotACursor() from None
    return place


def _in_tree_order() -> list[CategoryWithCount]:
    """All categories."""
    categories = db.session.scalars(select(Category)).all()
    counts = category_tree.totals({row.id: row.offered for row in categories}, categories)
    rows = category_tree.in_tree_order(categories)
    return [CategoryWithCount(row, counts[row.id]) for row in rows]


def _listed(
    rows: list[CategoryWithCount], parent_id: int | None, only_children: bool
) -> list[CategoryWithCount]:
    if not only_children:
        return rows
    return [row for row in rows if row.category.parent_id == parent_id]


def get_category(address: str) -> CategoryWithCount:
    """A category by id or slug.

    Raises:
        NotFound: there is none.
    """
    return _with_count(_find(address))


def branch(address: str | None, most: int) -> Branch:
    """The part of the tree around a category, by id or slug, with at most so many children; None: the
    top. Two statements, however large the tree is.

    Raises:
        NotFound: there is no such category.
    """
    nodes = _nodes()
    tree = {node.id: node for node in nodes}
    path = [] if address is None else category_tree.path_to(_id_at(address, nodes), tree)
    parent_id = path[-1] if path else None
    siblings = [node for node in nodes if node.parent_id == parent_id]
    children = sorted(siblings, key=category_tree.position)[:most]
    ids = [*path, *(node.id for node in children)]
    counts = category_tree.totals({node.id: node.offered for node in nodes}, nodes)
    rows = db.session.scalars(select(Category).where(among(Category.id, ids))) if ids else ()
    by_id = {row.id: CategoryWithCount(row, counts[row.id]) for row in rows}
    if not all(id_ in by_id for id_ in path):  # deleted in between
        raise NotFound("category")
    entries = [by_id[id_] for id_ in ids if id_ in by_id]
    return Branch(entries[: len(path)], entries[len(path) :])


def create_category(actor: Actor, fields: CategoryInput) -> CategoryWithCount:
    """Add a category.

    Raises:
        Conflict: `slug_taken`.
        Invalid: an unknown parent.
    """
    parent_id = fields.get("parent_id")
    if parent_id is not None and db.session.get(Category, parent_id) is None:
        raise Invalid({"parent_id": [_UNKNOWN]})
    slug = fields.get("slug")
    category = Category(
        name=fields["name"],
        slug=choose_slug(Category, slug, fields["name"]),
        description=fields.get("description", ""),
        parent_id=parent_id,
        position=fields.get("position", 0),
    )
    refuse_other_slug(category, slug)
    db.session.add(category)
    db.session.flush()
    trail.record(actor, "category.created", category.id, {}, trail.category_state(category))
    catalogue_cache.invalidate_catalogue()
    return _with_count(category)


def edit_category(
    actor: Actor,
    address: str,
    changes: CategoryInput,
    precondition: Precondition = UNCONDITIONAL,
) -> CategoryWithCount:
    """Change the fields that are given: name, slug, description, parent_id, position.

    Raises:
        NotFound: there is no such category.
        PreconditionFailed: it is in another state than the precondition allows.
        Conflict: `slug_taken`.
        Invalid: an unknown parent, or one that lies in the category itself.
    """
    parent_id = changes.get("parent_id")
    categories = _lock_all() if parent_id is not None else ()
    category = _find(address, lock=True)
    refusal = precondition.refusal(category)
    if parent_id is not None:
        _check_move(category, parent_id, categories)
    before = trail.category_state(category)
    if "slug" in changes:
        category.slug = choose_slug(Category, changes["slug"], category.name, category.id)
        refuse_other_slug(category, changes["slug"])
    for column, value in changes.items():
        setattr(category, column, value)
    if refusal:
        raise refusal
    after = trail.category_state(category)
    if after != before:
        db.session.flush()
        trail.record(actor, "category.edited", category.id, before, after)
        catalogue_cache.invalidate_catalogue()
    return _with_count(category)


def delete_category(actor: Actor, address: str, precondition: Precondition = UNCONDITIONAL) -> None:
    """Remove an empty category, and take deleted products out of it.

    Raises:
        NotFound: there is no such category.
        Conflict: `category_not_empty`.
        PreconditionFailed: it is in another state than the precondition allows.
    """
    category = _find(address, lock=True)
    children = select(Category.id).where(Category.parent_id == category.id)
    products = select(Product.id).where(
        Product.category_id == category.id, Product.deleted_at.is_(None)
    )
    if db.session.scalar(children.limit(1)) or db.session.scalar(products.limit(1)):
        raise Conflict("category_not_empty", f"{category.name} still has categories or products.")
    precondition.check(category)
    db.session.execute(
        update(Product)
        .where(Product.category_id == category.id, Product.deleted_at.is_not(None))
        .values(category_id=None)
    )
    trail.record(actor, "category.deleted", category.id, trail.category_state(category))
    db.session.delete(category)
    db.session.flush()
    catalogue_cache.invalidate_catalogue()


def require_category(category_id: int | None) -> Category | None:
    """The category that a product is to lie in.

    Raises:
        Invalid: on `category_id`, where there is none.
    """
    category = db.session.get(Category, category_id) if category_id is not None else None
    if category_id is not None and category is None:
        raise Invalid({"category_id": [_UNKNOWN]})
    return category


def ids_below(address: str) -> set[int]:
    """The ids of a category and all below it; none for one that does not exist."""
    nodes = _nodes()
    try:
        return category_tree.with_descendants(_id_at(address, nodes), nodes)
    except NotFound:
        return set()


def _id_at(address: str, nodes: Sequence[_Node]) -> int:
    key = id_or_slug(address)
    for node in nodes:
        if key in (node.id, node.slug):
            return node.id
    raise NotFound("category")


def counts_on_sale() -> dict[int, int]:
    """How many products are on sale in each category and below it."""
    nodes = _nodes()
    return category_tree.totals({node.id: node.offered for node in nodes}, nodes)


def _nodes() -> list[_Node]:
    query = select(
        Category.id, Category.slug, Category.parent_id, Category.position, Category.offered
    )
    return [_Node._make(row) for row in db.session.execute(query)]


def _find(address: str, lock: bool = False) -> Category:
    query = select(Category).where(at_address(Category, address))
    category: Category | None = db.session.scalar(_locked(query) if lock else query)
    if category is None:
        raise NotFound("category")
    return category


def _lock_all() -> Sequence[Category]:
    # Two moves at once, each below the other's category, would make a ring.
    return db.session.scalars(_locked(select(Category).order_by(Category.id))).all()


def _locked(query: Select[Any]) -> Select[Any]:
    # FOR NO KEY UPDATE: rows that refer to a locked category can be written meanwhile.
    return query.with_for_update(key_share=True).execution_options(populate_existing=True)


def _check_move(category: Category, parent_id: int, categories: Sequence[Category]) -> None:
    if parent_id not in {other.id for other in categories}:
        raise Invalid({"parent_id": [_UNKNOWN]})
    if parent_id in category_tree.with_descendants(category.id, categories):
        raise Invalid({"parent_id": ["A category cannot lie in itself or in what lies in it."]})


def _with_count(category: Category) -> CategoryWithCount:
    return CategoryWithCount(category, counts_on_sale()[category.id])
