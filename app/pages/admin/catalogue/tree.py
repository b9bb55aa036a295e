"""The category tree as staff see it, fresh from the database."""

from dataclasses import dataclass

from app.db.paging import MAX_DEPTH
from app.models import Category
from app.services.catalogue import category_service


@dataclass(frozen=True)
class Node:
    """A category, how deep it lies, and how many products are offered in it and below it."""

    category: Category
    depth: int
    product_count: int

    @property
    def indented(self) -> str:
        """Its name as it stands in a list to choose from."""
        return "\N{EM DASH} " * self.depth + self.category.name


def tree() -> list[Node]:
    """All categories, depth first."""
    depths: dict[int | None, int] = {None: -1}
    nodes = []
    for counted in category_service.list_categories(1, MAX_DEPTH).items:
        row = counted.category
        depths[row.id] = depths[row.parent_id] + 1
        nodes.append(Node(row, depths[row.id], counted.product_count))
    return nodes


def outside(nodes: list[Node], category_id: int) -> list[Node]:
    """The tree without a category and what lies in it: where the category may go."""
    kept, inside_of = [], None
    for node in nodes:
        if inside_of is not None and node.depth <= inside_of:
            inside_of = None
        if node.category.id == category_id:
            inside_of = node.depth
        if inside_of is None:
            kept.append(node)
    return kept
