"""The API's documentation: OpenAPI 3.1, and Swagger UI from our own host."""

from pathlib import Path

import flask_swagger_ui
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_cls
from flask import Blueprint, Flask, Response, render_template, send_from_directory, url_for
from marshmallow import Schema

from app.api.openapi import OperationDescriptions, describe_refusals
from app.extensions import api
from app.schemas.problem import ProblemSchema
from app.web import versioned_files
from app.web.callers.buyers import GUEST_TOKENS

ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
blp = Blueprint("docs", __name__, url_prefix="/api/docs")


@blp.get("")
def swagger_ui() -> str:
    """The page of Swagger UI."""
    return render_template("docs.html", asset=asset)


@blp.get("/assets/<path:name>")
def assets(name: str) -> Response:
    """Swagger UI's own files."""
    response = send_from_directory(ASSETS, name, max_age=86400)
    versioned_files.set_cache_control(response, str(ASSETS), name)
    return response


def asset(name: str) -> str:
    """The address of one of these files; it changes with their content."""
    return versioned_files.versioned_url(url_for("docs.assets", name=name), str(ASSETS), name)


def prepare(app: Flask) -> None:
    """Start the OpenAPI document. Blueprints that are registered afterwards add themselves."""
    api.init_app(
        app,
        spec_kwargs={
            "extra_plugins": [OperationDescriptions(app.config["STORE_CURRENCY"])],
            "marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=component_name),
            "info": {"description": "A shop: catalogue, carts and orders."},
        },
    )
    describe_refusals(api.spec, ProblemSchema)
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
