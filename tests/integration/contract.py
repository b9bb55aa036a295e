"""Compares the API's answers with the OpenAPI document.

Clients have to accept statuses and fields that are added later, so the document allows them. Here an
answer with any that the document does not name is a defect.
"""

import json
from typing import Any

import jsonschema_rs
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

JsonObject = dict[str, Any]
NOT_DOCUMENTED = (405, 500)
"""Answers that any operation may have by `default`."""


def check(app: Flask, response: TestResponse) -> None:
    """Fail where an answer of the API is not as the document says."""
    request = response.request
    if not request.path.startswith("/api/") or request.method in ("OPTIONS", "HEAD"):
        return
    try:
        rule, _values = app.url_map.bind("localhost").match(
            request.path, request.method, return_rule=True
        )
    except HTTPException:
        return
    contract = app.extensions.get("contract")
    if contract is None:
        contract = app.extensions["contract"] = Contract(app)
    contract.check(rule, request.method.lower(), response)


class Contract:
    """The document of an app, made strict."""

    def __init__(self, app: Flask) -> None:
        document = json.loads(app.extensions["openapi_document"].read("").body)
        for schema in document["components"]["schemas"].values():
            if "properties" in schema:
                schema["additionalProperties"] = False
        self._components = document["components"]
        self._operations = {
            operation["operationId"].removesuffix(".put"): operation
            for item in document["paths"].values()
            for method, operation in item.items()
            if method != "parameters"
        }
        self._validators: dict[str, Any] = {}

    def check(self, rule: Rule, method: str, response: TestResponse) -> None:
        """Fail where an answer of this route is not as the document says."""
        operation = self._operations.get(rule.endpoint)
        if operation is None or response.status_code in NOT_DOCUMENTED:
            return
        name = f"{method} {rule.rule} {response.status_code}"
        answer = operation["responses"].get(str(response.status_code))
        assert answer is not None, f"{name} is not documented: {response.text[:300]}"
        if "$ref" in answer:
            answer = self._components["responses"][answer["$ref"].rpartition("/")[2]]
        self._check_headers(name, answer, response)
        self._check_body(name, answer, response)

    def _check_headers(self, name: str, answer: JsonObject, response: TestResponse) -> None:
        for header, description in answer.get("headers", {}).items():
            if "$ref" in description:
                description = self._components["headers"][header]
            if description.get("required"):
                assert header in response.headers, f"{name} has no {header}"

    def _check_body(self, name: str, answer: JsonObject, response: TestResponse) -> None:
        content = answer.get("content", {})
        if not content:
            assert not response.data, f"{name} has a body"
            return
        assert response.mimetype in content, f"{name} is {response.mimetype}"
        for error in self._validator(content[response.mimetype]["schema"]).iter_errors(
            json.loads(response.data)
        ):
            place = "/".join(map(str, error.instance_path))
            raise AssertionError(f"{name} {place}: {error.message[:500]}")

    def _validator(self, schema: JsonObject) -> Any:
        key = json.dumps(schema)
        if key not in self._validators:
            whole = {**schema, "components": self._components}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[key]
