"""The API's documentation: OpenAPI 3.1, and Swagger UI from our own host."""

import threading
from pathlib import Path
from typing import Any

import flask_swagger_ui
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_cls
from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from marshmallow import Schema

from app.api.openapi import refusals
from app.api.openapi.operations import OperationDescriptions
from app.extensions import api
from app.schemas.problem import ProblemSchema
from app.services.cache.catalogue_cache import Answer
from app.web import versioned_files
from app.web.answers import answer, send
from app.web.callers.buyers import GUEST_TOKENS

ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
blp = Blueprint("docs", __name__, url_prefix="/api")


@blp.get("/openapi.json")
def openapi_json() -> Response:
    """The OpenAPI document."""
    document: ServedDocument = current_app.extensions["openapi_document"]
    return send(document.read(request.root_path))


@blp.get("/docs")
def swagger_ui() -> str:
    """The page of Swagger UI."""
    return render_template("docs.html", asset=asset)


@blp.get("/docs/assets/<path:name>")
def assets(name: str) -> Response:
    """Swagger UI's own files."""
    response = send_from_directory(ASSETS, name, max_age=86400)
    versioned_files.set_cache_control(response, str(ASSETS), name)
    return response


def asset(name: str) -> str:
    """The address of one of these files; it changes with their content."""
    return versioned_files.versioned_url(url_for("docs.assets", name=name), str(ASSETS), name)


class ServedDocument:
    """The OpenAPI document of an app as JSON. It is built when it is first read: that takes longer than
    all else that a process does at its start."""

    def __init__(self, spec: APISpec) -> None:
        self._spec, self._lock = spec, threading.Lock()
        self._document: dict[str, Any] = {}
        self._answer: Answer | None = None

    def read(self, prefix: str) -> Answer:
        """The document of a shop whose addresses begin with a prefix."""
        with self._lock:
            if self._answer is None:
                self._document = self._spec.to_dict()
                self._answer = answer(self._document)
        if not prefix:
            return self._answer
        server = {**self._document["servers"][0], "url": prefix}
        return answer({**self._document, "servers": [server]})


def prepare(app: Flask) -> None:
    """Start the OpenAPI document. Blueprints that are registered afterwards add themselves."""
    api.init_app(
        app,
        spec_kwargs={
            "extra_plugins": [
                OperationDescriptions(app.config["STORE_CURRENCY"], app.config["STORE_NAME"])
            ],
            "marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=component_name),
        },
    )
    app.extensions["openapi_document"] = ServedDocument(api.spec)
    refusals.register(api.spec, ProblemSchema)
    api.spec.components.security_scheme(
        "bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    )
    for name, header in GUEST_TOKENS.items():
        api.spec.components.security_scheme(
            name, {"type": "apiKey", "in": "header", "name": header}
        )


def component_name(schema: Schema | type[Schema] | str) -> str:
    """`Product` for `ProductSchema`; `ProductUpdate` for the same with `partial=True`."""
    name: str = resolve_schema_cls(schema).__name__  # type: ignore[union-attr]
    name = name.removesuffix("Schema")
    partial = isinstance(schema, Schema) and schema.partial
    return f"{name}Update" if partial else name
