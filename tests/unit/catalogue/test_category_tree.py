"""The category tree: order, what lies below, sums."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from app.domain.catalogue.category_tree import in_tree_order, totals, with_descendants


class Node(NamedTuple):
    id: int
    parent_id: int | None = None
    position: int = 0


HOME = Node(1, None, 1)
LAMPS = Node(2, 1)
DESKS = Node(3, 1)
SPOTS = Node(4, 2)
FOOD = Node(5)
SHOP = [SPOTS, DESKS, HOME, FOOD, LAMPS]


def test_the_order_is_depth_first_by_position_then_id():
    late = Node(6, 1)

    ordered = in_tree_order([late, *SHOP])

    assert ordered == [FOOD, HOME, LAMPS, SPOTS, DESKS, late]


def test_a_category_lies_below_itself_and_so_does_all_under_it():
    assert with_descendants(1, SHOP) == {1, 2, 3, 4}
    assert with_descendants(4, SHOP) == {4}


def test_a_ring_does_not_hang_the_search_for_descendants():
    assert with_descendants(1, [Node(1, 2), Node(2, 1)]) == {1, 2}


def test_products_count_in_their_category_and_in_all_above():
    assert totals({4: 2, 3: 1, 5: 7}, SHOP) == {1: 3, 2: 2, 3: 1, 4: 2, 5: 7}


def test_a_chain_of_thousands_is_no_trouble():
    chain = [Node(n, n - 1 or None) for n in range(1, 5001)]

    assert in_tree_order(reversed(chain)) == chain
    assert len(with_descendants(1, chain)) == 5000
    assert totals({5000: 1}, chain)[1] == 1


@given(st.lists(st.integers(0, 20), max_size=20), st.randoms())
def test_every_category_stands_once_and_after_its_parent(parents, random):
    nodes = [Node(n, min(p, n - 1) or None) for n, p in enumerate(parents, 1)]
    shuffled = random.sample(nodes, len(nodes))

    ids = [node.id for node in in_tree_order(shuffled)]

    assert sorted(ids) == [node.id for node in nodes]
    assert all(n.parent_id is None or ids.index(n.parent_id) < ids.index(n.id) for n in nodes)
