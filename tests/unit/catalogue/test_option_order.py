"""Values of options from small to large."""

import random

import pytest

from app.domain.catalogue.option_order import by_values, in_order

ORDERS = [
    ["XXS", "XS", "S", "M", "L", "XL", "XXL", "3XL", "4XL"],
    ["Extra small", "Small", "Medium", "Large", "X-Large", "Extra Large / XXL"],
    ["S", "S/M", "M", "M-L", "L", "L/XL", "One size"],
    ["S", "M", "L", "36-40", "41-45"],
    ["6", "8", "10", "12.5", "100"],
    ["EU 36", "EU 38.5", "EU 42"],
    ["250 ml", "50 cl", "1 l", "1,5 l", "20 l"],
    ["90 x 200 cm", "140 x 200 cm", "140 x 220 cm"],
    ["500 g", "1 kg", "12 kg"],
    ["64 GB", "512 GB", "1 TB"],
    ['27"', '32"'],
    ["0-3 months", "3-6 months", "12-18 months", "2 years", "10 years"],
    ["500 ml", "1 litre", "1.5 litres"],
    ["1 piece", "20 pieces", "100 pieces"],
]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_sizes_go_from_small_to_large(order):
    shuffled = random.Random(7).sample(order, len(order))

    assert in_order(shuffled) == order
    assert in_order(order) == order
    assert in_order(sorted(order)) == order


@pytest.mark.parametrize(
    "values",
    [[], ["Navy"], ["Navy", "Black", "Ecru"], ["Soft", "Medium", "Firm"], ["Model 5", "Model 3"]],
)
def test_what_is_no_size_stays_as_it_is(values):
    assert in_order(values) == values


def test_what_is_no_size_follows_the_sizes():
    assert in_order(["L", "Tall", "S", "Petite", "M", "XL", "XS"]) == [
        "XS", "S", "M", "L", "XL", "Tall", "Petite",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["x" * 110, "1" * 110, "1x" * 55, "s/" * 55, "1-" * 55, "٣", "²"])
def test_any_text_has_its_place(value):
    assert sorted(in_order([value, "S", "M"])) == sorted([value, "S", "M"])


def test_variants_follow_the_values_of_their_product():
    options = [
        {"name": "Size", "values": ["S", "M"]},
        {"name": "Colour", "values": ["Red", "Blue"]},
    ]
    pairs = [("M", "Red"), ("S", "Blue"), ("M", "Blue"), ("S", "Red")]
    variants = [{"options": {"Size": size, "Colour": colour}} for size, colour in pairs]

    shown = [tuple(variant["options"].values()) for variant in by_values(options, variants)]

    assert shown == [("S", "Red"), ("S", "Blue"), ("M", "Red"), ("M", "Blue")]
    assert by_values([], [{"options": {}, "id": 2}, {"options": {}, "id": 1}])[0]["id"] == 2
