"""Options and variants: what fits together. Ids and slugs. Versions."""

from types import SimpleNamespace

import pytest

from app.domain.catalogue.variant_rules import (
    check_declared,
    check_fit,
    copy_to_variants,
    misfit,
)
from app.domain.conditions import Precondition
from app.domain.text import id_or_slug
from app.errors import Invalid, PreconditionFailed

SIZE = {"name": "Size", "values": ["S", "M"]}
COLOUR = {"name": "Colour", "values": ["Red"]}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ([SIZE, SIZE], "options"),
        ([COLOUR, {"name": "Size", "values": ["S", "S"]}], "options.1.values"),
    ],
)
def test_names_and_values_may_stand_once(options, field):
    with pytest.raises(Invalid) as refusal:
        check_declared(options)

    assert list(refusal.value.extra["errors"]) == [field]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"Size": "S", "Colour": "Red"}, None),
        ({"Size": "S"}, "A value for Colour is missing."),
        ({"Size": "XL", "Colour": "Red"}, "XL is no value of Size."),
        ({"Size": "S", "Colour": "Red", "Cut": "Slim"}, "Cut is no option of this product."),
    ],
)
def test_a_variant_has_one_declared_value_of_every_option(values, problem):
    assert misfit([SIZE, COLOUR], values) == problem


def test_every_variant_that_does_not_fit_is_named():
    chosen = [("variants.0.options", {"Size": "S"}), ("variants.1.options", {"Size": "S"}),
              ("variants.2.options", {})]  # fmt: skip

    with pytest.raises(Invalid) as refusal:
        check_fit([SIZE], chosen)

    assert refusal.value.extra["errors"] == {
        "variants.1.options": ["Another variant has the same options."],
        "variants.2.options": ["A value for Size is missing."],
    }


def test_what_is_said_of_a_product_holds_for_its_only_variant():
    variants = [{"price": 5}]

    copy_to_variants({"sku": "A", "price": 9, "stock": 3, "name": "x"}, variants, are_new=False)

    assert variants == [{"price": 5, "sku": "A", "stock": 3}]


def test_a_new_products_price_holds_for_variants_without_one():
    variants = [{}, {"price": 5}]

    copy_to_variants({"price": 9}, variants, are_new=True)

    assert variants == [{"price": 9}, {"price": 5}]


@pytest.mark.parametrize(("name", "new"), [("sku", True), ("stock", True), ("price", False)])
def test_what_cannot_be_said_of_several_variants_is_refused(name, new):
    with pytest.raises(Invalid) as refusal:
        copy_to_variants({name: 1}, [{}, {}], new)

    assert list(refusal.value.extra["errors"]) == [name]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("1", 1), (str(2**63 - 1), 2**63 - 1), (str(2**63), None), ("0", None), ("007", None),
        ("-1", None), ("1.0", None), ("١", None), ("red-lamp", "red-lamp"), ("3m-tape", "3m-tape"),
        ("Red", None), ("a--b", None), ("\x00", None), ("", None), ("9" * 5000, None),
    ],
)  # fmt: skip
def test_a_path_names_a_thing_by_id_or_slug(text, meaning):
    assert id_or_slug(text) == meaning


def test_an_edit_at_another_version_is_refused():
    row = SimpleNamespace(version=3)
    Precondition(None).check(row)
    Precondition({"2", "3"}).check(row)

    with pytest.raises(PreconditionFailed):
        Precondition({"2"}).check(row)
    with pytest.raises(PreconditionFailed):
        Precondition(set()).check(row)


@pytest.mark.parametrize(
    ("tag", "edits", "writes_stock"),
    [("3", True, True), ("3-a", True, True), ("3-b", True, False), ("3-", True, False),
     ("33-a", False, False), ("-a", False, False), ("2-a", False, False), ("a", False, False)],
)  # fmt: skip
def test_a_fingerprint_counts_where_the_stock_is_written(tag, edits, writes_stock):
    row = SimpleNamespace(version=3)
    expects = Precondition({tag}, fingerprints=lambda _row: {"a"})
    excludes = Precondition(excluded={tag}, fingerprints=lambda _row: {"a"})

    assert (expects.refusal(row) is None) == edits
    assert (expects.refusal(row, writes_stock=True) is None) == writes_stock
    assert (excludes.refusal(row) is None) == (not edits)
    assert (excludes.refusal(row, writes_stock=True) is None) == (not writes_stock)


@pytest.mark.parametrize("name", ["sku", "stock"])
def test_what_a_product_and_its_only_variant_say_has_to_agree(name):
    with pytest.raises(Invalid, match="not valid") as refusal:
        copy_to_variants({name: 1}, [{name: 2}], are_new=True)

    assert list(refusal.value.extra["errors"]) == [name]
    copy_to_variants({name: 1}, [{name: 1}], are_new=True)
