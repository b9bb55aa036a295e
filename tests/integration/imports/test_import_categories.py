"""Categories that a product list names: names differ by their accents, not by their case."""

import pytest
from sqlalchemy import select

from app.extensions import db
from app.models import Category, Product
from tests import factories


@pytest.fixture
def run(app, tmp_path):
    """Import rows of SKU and category; the name of each product's category."""

    def invoke(*rows):
        path = tmp_path / "products.csv"
        lines = [f"{sku},Thing,1.00,{category}" for sku, category in rows]
        path.write_text("\n".join(["sku,name,price,category", *lines]), "utf-8")
        result = app.test_cli_runner().invoke(args=["import-products", str(path)])
        assert result.exit_code == 0, result.output
        with app.app_context():
            query = select(Category.name, Category.id).join(Product).order_by(Product.id)
            return [(row.name, row.id) for row in db.session.execute(query)]

    return invoke


def test_names_that_differ_by_a_mark_are_different_categories(run):
    categories = run(("A", "バス"), ("B", "パス"), ("C", "ハス"), ("D", "Año"), ("E", "Ano"))

    assert [name for name, _ in categories] == ["バス", "パス", "ハス", "Año", "Ano"]
    assert len({id_ for _, id_ in categories}) == 5


def test_other_spellings_of_a_name_are_one_category(run):
    spellings = ("パンダ", "ﾊﾟﾝﾀﾞ", "ハ\u309aンタ\u3099", "Año", "AÑO", "An\u0303o")

    categories = run(*((str(n), name) for n, name in enumerate(spellings)))

    assert [name for name, _ in categories] == ["パンダ"] * 3 + ["Año"] * 3
    assert len({id_ for _, id_ in categories}) == 2


def test_paths_and_names_that_exist_are_told_apart(app, run):
    with app.app_context():
        año = factories.category(name="Año", slug="ano").id
        below = factories.category(name="Øl", slug="ol", parent_id=año).id

    categories = run(("A", "Año > Øl"), ("B", "øl"), ("C", "Ano > Øl"), ("D", "Año > Ol"))

    ids = [id_ for _, id_ in categories]
    assert ids[:2] == [below, below]
    assert len(set(ids)) == 3


def test_categories_whose_names_differ_by_a_mark_are_made_by_the_api(admin, anyone):
    names = ["Año", "Ano", "バス", "パス", "ハス"]
    made = [admin.post("/api/categories", json={"name": name}) for name in names]

    assert [response.status_code for response in made] == [201] * 5
    for response, name in zip(made, names, strict=True):
        assert anyone.get(f"/api/categories/{response.json['slug']}").json["name"] == name
