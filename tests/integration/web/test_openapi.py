"""The API's description: whole, honest, and from our own host."""

import json
import re
import runpy
import sys

import pytest
from flask import Flask

from app.config import ROOT
from tests import factories

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def document(anyone) -> dict:
    return json.loads(anyone.get("/api/openapi.json").text)  # as clients do: no decimals


def operations(document: dict) -> list[tuple[str, str, dict]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def references(value: object) -> set[str]:
    return set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(value)))


def test_it_is_openapi_3_1(document):
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "ShopSwift"


def test_every_reference_leads_somewhere(document):
    for reference in references(document):
        target = document
        for part in reference.split("/"):
            target = target[part]
        assert target


def test_every_route_of_the_api_is_described(app: Flask, document):
    described = {(path, method.upper()) for method, path, _ in operations(document)}
    served = {
        (re.sub(r"<(?:\w+(?:\(.*?\))?:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/") and not rule.endpoint.startswith(("docs.", "api-docs."))
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert described == served


def test_every_operation_says_what_it_does_and_has_a_name_of_its_own(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(set(names)) == len(names)
    assert all(operation.get("summary") for _, _, operation in operations(document))


def test_every_refusal_is_a_problem(document):
    refusals = document["components"]["responses"]

    assert {"Unauthorized", "NotFound", "UnprocessableContent"} <= set(refusals)
    for refusal in refusals.values():
        assert list(refusal["content"]) == ["application/problem+json"]
    assert "Error" not in document["components"]["schemas"]


def test_every_operation_names_all_that_it_may_answer(document):
    for method, path, operation in operations(document):
        answers = set(operation["responses"])
        assert {"401", "429", "503"} <= answers, f"{method} {path}"
        assert "default" not in answers  # which would allow everything
        assert ("404" in answers) >= ("{" in path)
        assert ("403" in answers) is (operation.get("x-needs") == "admin")
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= answers


@pytest.mark.parametrize("method", ["patch", "put", "delete"])
def test_what_can_be_bound_to_a_version_says_so(document, method):
    operation = document["paths"]["/api/products/{product}"][method]
    problem = document["components"]["schemas"]["Problem"]

    assert "If-Match" in [parameter["name"] for parameter in operation["parameters"]]
    assert "412" in operation["responses"]
    assert "version" in problem["properties"]
    assert "version" not in problem["required"]


def test_answers_name_the_headers_that_they_carry(document):
    answers = document["paths"]["/api/products"]["get"]["responses"]
    made = document["paths"]["/api/products"]["post"]["responses"]["201"]

    assert {"X-Request-ID", "ETag", "Link"} <= set(answers["200"]["headers"])
    assert "content" not in answers["304"]
    assert {"X-Request-ID", "Location"} <= set(made["headers"])
    assert "Retry-After" in document["components"]["responses"]["TooManyRequests"]["headers"]


def test_what_goes_in_and_what_comes_out_have_shapes_of_their_own(document):
    shapes = document["components"]["schemas"]

    assert set(shapes["Product"]["required"]) == set(shapes["Product"]["properties"])
    assert shapes["ProductInput"]["required"] == ["name"]
    assert "category_id" in shapes["ProductInput"]["properties"]
    assert not {"id", "version"} & set(shapes["ProductInput"]["properties"])
    assert "category_id" not in shapes["Product"]["properties"]
    for shape in shapes.values():
        assert shape["additionalProperties"] is False
        assert not re.search(r"readOnly|writeOnly|x-", json.dumps(shape))


def test_null_stands_only_in_the_direction_in_which_it_may(document):
    shapes = document["components"]["schemas"]

    assert shapes["ProductInput"]["properties"]["description"]["type"] == ["string", "null"]
    assert shapes["Product"]["properties"]["description"]["type"] == "string"
    assert shapes["ProductInput"]["properties"]["sku"]["type"] == "string"
    assert shapes["Product"]["properties"]["sku"]["type"] == ["string", "null"]


def test_what_a_list_or_a_new_thing_shows_links_to_what_can_be_done_with_it(document):
    new_product = document["paths"]["/api/products"]["post"]["responses"]["201"]["links"]
    orders = document["paths"]["/api/orders"]["get"]["responses"]["200"]["links"]

    assert new_product["products.edit_product"]["parameters"] == {"product": "$response.body#/id"}
    assert orders["orders.cancel_order"]["parameters"] == {"order": "$response.body#/items/0/id"}
    names = {operation["operationId"] for _, _, operation in operations(document)}
    assert {link["operationId"] for link in [*new_product.values(), *orders.values()]} <= names


def test_every_part_of_a_path_is_described(document):
    for path, item in document["paths"].items():
        described = {p["name"] for p in item.get("parameters", []) if p.get("description")}
        assert set(re.findall(r"{(\w+)}", path)) <= described


def test_what_asks_for_a_token_says_so(anyone, document):
    """What anonymous callers are refused with 401 is documented with security, and the reverse."""
    for method, path, operation in operations(document):
        concrete = re.sub(r"{\w+}", "1", path)
        refused = anyone.call(method.upper(), concrete).status_code == 401
        open_to_all = {} in operation.get("security", [{}])
        assert refused is not open_to_all, f"{method} {path}"


def test_money_is_documented_as_text(document):
    schemas = document["components"]["schemas"]

    assert schemas["Product"]["properties"]["price"]["type"] == "string"
    assert schemas["Order"]["properties"]["total"]["type"] == "string"


def test_what_may_be_null_in_an_answer_is_documented_so(app, anyone, document):
    with app.app_context():
        factories.product_with_variants([{"price": 100}, {"price": 200, "options": {"Size": "L"}}])
    documented = document["components"]["schemas"]["Product"]["properties"]

    shown = anyone.get("/api/products").json["items"][0]

    nulls = {name for name, value in shown.items() if value is None}
    assert nulls == {"sku", "category", "compare_at_price"}
    for name in nulls:
        kinds = documented[name].get("anyOf", [documented[name]])
        assert any("null" in kind.get("type", "") for kind in kinds)


def test_the_documentation_loads_nothing_from_elsewhere(anyone):
    page = anyone.get("/api/docs").text
    assets = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert assets
    assert all(asset.startswith("/") and not asset.startswith("//") for asset in assets)
    for asset in assets:
        with anyone.get(asset) as answer:
            assert answer.status_code == 200
    assert not re.search(r"<script>|<script [^>]*>[^<]|\son\w+=|<style", page)


@pytest.mark.parametrize("name", ["../__init__.py", "%2e%2e/__init__.py", "nothing.js"])
def test_no_other_file_can_be_had_as_an_asset(anyone, name):
    assert anyone.get(f"/api/docs/assets/{name}").status_code == 404


@pytest.mark.processes
@pytest.mark.only_on("sqlite")
def test_api_md_is_made_of_it(document, capsys, monkeypatch):
    script = str(ROOT / "scripts" / "api_md.py")
    monkeypatch.setattr(sys, "argv", [script])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(script, run_name="__main__")
    made = capsys.readouterr().out

    assert not ended.value.code

    for _, path, operation in operations(document):
        assert f" {path}\n" in made
        assert operation["summary"] in made
