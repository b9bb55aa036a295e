"""The API's description: whole, honest, and from our own host."""

import json
import re
import runpy
import sys

import jsonschema_rs
import pytest
from flask import Flask

from app import create_app
from app.config import ROOT, Testing
from app.domain.money import to_text
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
        if rule.rule.startswith("/api/") and not rule.endpoint.startswith("docs.")
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
        # tests/integration/contract.py does not take it for a permission.
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
        assert ("404" in answers) >= ("{" in path)
        is_for_staff = operation.get("x-needs") == "admin"
        assert ("403" in answers) is (
            is_for_staff or operation["operationId"] == "orders.list_orders"
        )
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
    new = shapes["ProductInputWithPrice"]
    assert new["required"] == ["name", "price"]
    assert "category_id" in new["properties"]
    assert not {"id", "version"} & set(new["properties"])
    assert "category_id" not in shapes["Product"]["properties"]
    for shape in shapes.values():
        assert not re.search(r"readOnly|writeOnly|x-", json.dumps(shape))


def used_by(document: dict, part: object) -> set[str]:
    """The names of the schemas that a part of the document refers to."""
    names, rest = set(), references(part)
    while rest:
        reference = rest.pop()
        if reference not in names:
            names.add(reference)
            _components, kind, name = reference.split("/")
            rest |= references(document["components"][kind][name])
    return {name.rpartition("/")[2] for name in names if "/schemas/" in name}


def test_requests_take_no_other_fields_and_answers_may_gain_some(document):
    schemas = document["components"]["schemas"]
    requests, answers = (
        used_by(document, [operation.get(part) for _, _, operation in operations(document)])
        for part in ("requestBody", "responses")
    )

    assert not requests & answers
    for name in requests:
        is_closed = schemas[name].get("additionalProperties") is False
        assert is_closed is ("properties" in schemas[name]), name
    assert not [name for name in answers if schemas[name].get("additionalProperties") is False]


def test_null_stands_only_in_the_direction_in_which_it_may(document):
    shapes = document["components"]["schemas"]

    new = shapes["ProductInputWithPrice"]["properties"]
    assert new["description"]["type"] == ["string", "null"]
    assert shapes["Product"]["properties"]["description"]["type"] == "string"
    assert new["sku"]["type"] == "string"
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
        open_to_all = {} in operation["security"] or not operation["security"]
        assert refused is not open_to_all, f"{method} {path}"


def test_money_is_documented_as_text(document):
    schemas = document["components"]["schemas"]

    amounts = [
        schemas[name]["properties"]["price"]["$ref"] for name in ("Product", "ProductUpdate")
    ]
    assert amounts == ["#/components/schemas/Money", "#/components/schemas/Price"]
    assert schemas["Order"]["properties"]["total"] == {"$ref": "#/components/schemas/Money"}
    assert {schemas[name]["type"] for name in ("Money", "Price", "Total")} == {"string"}
    nullable = [{"$ref": "#/components/schemas/Money"}, {"type": "null"}]
    assert schemas["Product"]["properties"]["compare_at_price"] == {"anyOf": nullable}


@pytest.mark.parametrize(
    ("method", "path", "body", "is_valid"),
    [
        ("post", "/api/cart/items", {"product_id": 1}, True),
        ("post", "/api/cart/items", {"variant_id": 1, "quantity": 2}, True),
        ("post", "/api/cart/items", {"quantity": 2}, False),
        ("post", "/api/products/{product}/stock", {"delta": 1, "reason": "x"}, True),
        ("post", "/api/products/{product}/stock", {"on_hand": 1, "reason": "x"}, True),
        ("post", "/api/products/{product}/stock", {"on_hand": 1, "delta": 1, "reason": "x"}, False),
        ("post", "/api/products/{product}/stock", {"reason": "x"}, False),
        ("post", "/api/products", {"name": "x", "price": "1.00"}, True),
        ("post", "/api/products", {"name": "x", "variants": [{"price": "1"}]}, True),
        ("post", "/api/products", {"name": "x"}, False),
        ("post", "/api/products", {"name": "x", "price": "1.999"}, False),
        ("post", "/api/products", {"name": "x", "price": "1", "images": []}, False),
        ("patch", "/api/products/{product}", {"images": []}, True),
        ("patch", "/api/products/{product}", {}, True),
    ],
)
def test_a_body_needs_what_its_schema_says(document, method, path, body, is_valid):
    schema = document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]

    assert jsonschema_rs.is_valid(with_components(document, schema), body) is is_valid


def with_components(document: dict, schema: dict) -> dict:
    return {**schema, "components": document["components"]}


def test_every_json_body_has_an_example_that_is_valid(document):
    count = 0
    for method, path, operation in operations(document):
        parts = [operation.get("requestBody", {})]
        parts += [a for status, a in operation["responses"].items() if status.startswith("2")]
        for media in (
            part["content"].get("application/json") for part in parts if "content" in part
        ):
            if media:
                whole = with_components(document, media["schema"])
                errors = list(jsonschema_rs.iter_errors(whole, media["example"]))
                assert not errors, f"{method} {path}: {errors[0].message}"
                count += 1
    assert count > 60


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_examples_are_in_the_shops_currency(currency):
    document = create_app(Testing({"STORE_CURRENCY": currency}), strict=False).extensions[
        "openapi_document"
    ]
    text = document.read("").body.decode()

    assert f'"price":"{to_text(4900, currency)}"' in text
    test_every_json_body_has_an_example_that_is_valid(json.loads(text))


def test_generators_for_typescript_need_no_field_that_has_a_default(document):
    assert '"default": ' not in json.dumps(
        [document["components"]["schemas"], [o.get("parameters") for *_, o in operations(document)]]
    )


def test_who_may_send_a_token_but_need_not_is_told_both(document):
    either = [{}, {"bearer": []}]

    for path in ("/api/products", "/api/products/{product}", "/api/categories"):
        assert document["paths"][path]["get"]["security"] == either
    assert document["paths"]["/api/auth/login"]["post"]["security"] == []


def test_guests_send_their_tokens_in_headers(document):
    headers = {
        (path, p["name"])
        for _, path, operation in operations(document)
        for p in (
            *document["paths"][path].get("parameters", ()),
            *operation.get("parameters", ()),
        )
        if p["in"] == "header" and p["name"] in ("X-Cart-Token", "X-Order-Token")
    }

    assert {
        ("/api/cart", "X-Cart-Token"),
        ("/api/cart/items", "X-Cart-Token"),
        ("/api/cart/codes", "X-Cart-Token"),
        ("/api/cart/codes/{code}", "X-Cart-Token"),
        ("/api/cart/quote", "X-Cart-Token"),
        ("/api/cart/items/{item_id}", "X-Cart-Token"),
        ("/api/orders", "X-Cart-Token"),
        ("/api/auth/login", "X-Cart-Token"),
        ("/api/auth/mfa", "X-Cart-Token"),
        ("/api/orders/{order}", "X-Order-Token"),
        ("/api/orders/{order}/cancel", "X-Order-Token"),
    } == headers


def test_every_refusal_lists_its_codes(document):
    schemas, responses = (document["components"][kind] for kind in ("schemas", "responses"))
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status[0] in "45":
                if "$ref" in answer:
                    answer = responses[answer["$ref"].rpartition("/")[2]]
                name = answer["content"]["application/problem+json"]["schema"]["$ref"].rpartition(
                    "/"
                )[2]
                problem, narrowed = schemas[name]["allOf"]
                assert problem == {"$ref": "#/components/schemas/Problem"}
                codes = narrowed["properties"]["code"]["enum"]
                assert len(set(codes)) == len(codes) > 0, f"{method} {path} {status}"
    conflicts = schemas["PlaceOrderConflict"]["allOf"][1]["properties"]["code"]["enum"]
    assert {"out_of_stock", "total_changed", "idempotency_key_in_use"} <= set(conflicts)


def test_every_operation_tag_and_parameter_is_described(document):
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}

    assert all(tags.values())
    for method, path, operation in operations(document):
        assert operation["description"], f"{method} {path}"
        assert set(operation["tags"]) <= set(tags)
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), f"{method} {path} {parameter['name']}"


def test_the_head_names_shop_licence_and_server(document):
    assert document["info"]["contact"] == {"name": "ShopSwift"}
    assert document["info"]["license"]["identifier"] == "MIT"
    assert [server["url"] for server in document["servers"]] == ["/"]


def test_whole_numbers_and_times_have_formats(document):
    order = document["components"]["schemas"]["Order"]["properties"]

    assert order["id"]["format"] == "int64"
    assert order["placed_at"]["format"] == "date-time"
    page, per_page = document["paths"]["/api/users"]["get"]["parameters"][:2]
    assert (page["schema"]["maximum"], per_page["schema"]["maximum"]) == (10_000, 100)


def test_it_has_an_etag_and_is_built_once(app, anyone, monkeypatch):
    first = anyone.get("/api/openapi.json")
    monkeypatch.setattr(app.extensions["openapi_document"], "_spec", None)

    again = anyone.get("/api/openapi.json", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")
    assert anyone.get("/api/openapi.json").data == first.data


def test_its_server_has_the_prefix_of_a_trusted_proxy(shops):
    client = shops(TRUSTED_PROXIES="1").test_client()

    document = client.get("/api/openapi.json", headers={"X-Forwarded-Prefix": "/store"}).json

    assert document["servers"][0]["url"] == "/store"


def test_what_may_be_null_in_an_answer_is_documented_so(app, anyone, document):
    with app.app_context():
        factories.product_with_variants([{"price": 100}, {"price": 200, "options": {"Size": "L"}}])
    documented = document["components"]["schemas"]["Product"]["properties"]

    shown = anyone.get("/api/products").json["items"][0]

    nulls = {name for name, value in shown.items() if value is None}
    assert nulls == {"sku", "category", "compare_at_price", "weight"}
    for name in nulls:
        kinds = documented[name].get("anyOf", [documented[name]])  # a schema of its own, or null
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
