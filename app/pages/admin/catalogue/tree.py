"""The category tree on the staff's pages, read from the database without a cache."""

from dataclasses import dataclass

from app.db.paging import MAX_DEPTH
from app.models import Category
from app.services.catalogue import category_service


@dataclass(frozen=True)
class CategoryNode:
    """A category, its depth, and how many products are on sale in it and below it."""

    category: Category
    depth: int
    product_count: int

    @property
    def indented(self) -> str:
        """Its name as an option of a select box."""
        return "\N{EM DASH} " * self.depth + self.category.name


def tree() -> list[CategoryNode]:
    """All categories, depth first."""
    depths: dict[int | None, int] = {None: -1}
    nodes = []
    for category, product_count in category_service.list_categories(1, MAX_DEPTH).items:
        depths[category.id] = depths[category.parent_id] + 1
        nodes.append(CategoryNode(category, depths[category.id], product_count))
    return nodes


def without_branch(nodes: list[CategoryNode], category_id: int) -> list[CategoryNode]:
    """The tree without a category and what lies below it: where the category may go."""
    branch: set[int | None] = {category_id}
    for node in nodes:
        if node.category.parent_id in branch:
            branch.add(node.category.id)
    return [node for node in nodes if node.category.id not in branch]
