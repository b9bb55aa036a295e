"""The category tree: its order, what lies below a category, and which moves would break it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar


class Node(Protocol):
    """A category, as far as the tree is concerned."""

    @property
    def id(self) -> int: ...
    @property
    def parent_id(self) -> int | None: ...
    @property
    def position(self) -> int: ...


N = TypeVar("N", bound=Node)


def in_tree_order(nodes: Iterable[N]) -> list[N]:
    """Depth first; siblings by position, then id."""
    children: dict[int | None, list[N]] = defaultdict(list)
    for node in sorted(nodes, key=lambda n: (n.position, n.id), reverse=True):
        children[node.parent_id].append(node)
    ordered: list[N] = []
    waiting = list(children[None])
    while waiting:
        node = waiting.pop()
        ordered.append(node)
        waiting.extend(children[node.id])
    return ordered


def with_descendants(root: int, nodes: Iterable[Node]) -> set[int]:
    """The ids of a category and of all that lies below it."""
    children: dict[int | None, list[int]] = defaultdict(list)
    for node in nodes:
        children[node.parent_id].append(node.id)
    found, waiting = set(), [root]
    while waiting:
        id_ = waiting.pop()
        found.add(id_)
        waiting.extend(child for child in children[id_] if child not in found)
    return found


def totals(own: Mapping[int, int], nodes: Iterable[Node]) -> dict[int, int]:
    """For each category, what `own` counts in it and in all that lies below it."""
    ordered = in_tree_order(nodes)
    sums = {node.id: own.get(node.id, 0) for node in ordered}
    for node in reversed(ordered):
        if node.parent_id is not None:
            sums[node.parent_id] += sums[node.id]
    return sums
