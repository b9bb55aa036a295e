"""The category tree: its order, and what lies below a category."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar


class Node(Protocol):
    """A category, or a row of its columns."""

    @property
    def id(self) -> int: ...
    @property
    def parent_id(self) -> int | None: ...
    @property
    def position(self) -> int: ...


N = TypeVar("N", bound=Node)


def position(node: Node) -> tuple[int, int]:
    """The order of siblings: by position, then id."""
    return node.position, node.id


def path_to(id_: int, nodes: Mapping[int, Node]) -> list[int]:
    """The ids from the root of the tree down to a category, in a tree of `nodes` by id."""
    ids = [id_]
    # The second condition ends the loop even if the tree had a ring.
    while (parent_id := nodes[ids[0]].parent_id) is not None and len(ids) < len(nodes):
        ids.insert(0, parent_id)
    return ids


def place(id_: int, nodes: Mapping[int, Node]) -> list[tuple[int, int]]:
    """Where a category stands: the positions of its ancestors, from the root, and of itself. Places
    compare as the categories do in tree order."""
    return [position(nodes[step]) for step in path_to(id_, nodes)]


def in_tree_order(nodes: Iterable[N]) -> list[N]:
    """Depth first; siblings by position, then id."""
    children: dict[int | None, list[N]] = defaultdict(list)
    for node in sorted(nodes, key=position, reverse=True):
        children[node.parent_id].append(node)
    order: list[N] = []
    stack = list(children[None])
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(children[node.id])
    return order


def with_descendants(root: int, nodes: Iterable[Node]) -> set[int]:
    """The ids of a category and of all categories below it."""
    children: dict[int | None, list[int]] = defaultdict(list)
    for node in nodes:
        children[node.parent_id].append(node.id)
    ids, stack = set(), [root]
    while stack:
        id_ = stack.pop()
        ids.add(id_)
        stack.extend(child for child in children[id_] if child not in ids)
    return ids


def totals(own: Mapping[int, int], nodes: Iterable[Node]) -> dict[int, int]:
    """For each category, its own count in `own` and those of all categories below it."""
    order = in_tree_order(nodes)
    sums = {node.id: own.get(node.id, 0) for node in order}
    for node in reversed(order):
        if node.parent_id is not None:
            sums[node.parent_id] += sums[node.id]
    return sums
