#!/usr/bin/env python3
"""Write API.md from the shop's OpenAPI document.

scripts/api_md.py > API.md     write it
scripts/api_md.py --check      exit with 1 when API.md is stale
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
INTRODUCTION = """# API

Made by `scripts/api_md.py` from the OpenAPI document of the running program, which is served at
`/api/openapi.json`, and to try at `/api/docs`. Do not edit by hand.

JSON in UTF-8. Times are RFC 3339 in UTC, money is a decimal string beside a currency. Refusals are
`application/problem+json` with a stable `code`; wrong fields are named in `errors`. Who is signed in
sends `Authorization: Bearer <access_token>`. Query parameters that an operation does not have are refused
with 422 `unknown_parameter`, except `utm_*`, `gclid` and `fbclid`. `RateLimit-Policy` and `RateLimit` tell how
many requests are left (draft-ietf-httpapi-ratelimit-headers).
"""
CALLERS = {"cart_token": "guests with `X-Cart-Token`", "order_token": "guests with `X-Order-Token`"}


def document() -> dict[str, Any]:
    """The OpenAPI document, as the program would serve it."""
    sys.path.insert(0, str(ROOT))
    from app import create_app
    from app.config import Testing
    from app.extensions import api

    # Not strict: without the checks at start, no database is needed.
    app = create_app(Testing({"LOG_LEVEL": "ERROR"}), strict=False)
    with app.app_context():
        result: dict[str, Any] = api.spec.to_dict()
    return result


def markdown(doc: dict[str, Any]) -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    operations = list(all_operations(doc))
    for tag in dict.fromkeys(operation["tags"][0] for _, _, operation in operations):
        parts.append(f"## {tag}\n")
        parts += [
            described(doc, methods, path, operation)
            for methods, path, operation in operations
            if operation["tags"][0] == tag
        ]
    parts.append("## Shapes\n")
    shapes = sorted(doc["components"]["schemas"].items())
    parts += [shape(name, schema) for name, schema in shapes if "allOf" not in schema]
    return "\n".join(parts).rstrip() + "\n"


def all_operations(doc: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation with its methods and path; a PUT that means PATCH stands with it."""
    for path, item in doc["paths"].items():
        shared = item.get("parameters", [])
        for method in ("get", "post", "put", "patch", "delete"):
            if method not in item or (method == "put" and "patch" in item):
                continue
            methods = "PATCH, PUT" if method == "patch" and "put" in item else method.upper()
            own = item[method].get("parameters", [])
            yield methods, path, {**item[method], "parameters": [*shared, *own]}


def described(doc: dict[str, Any], methods: str, path: str, operation: dict[str, Any]) -> str:
    """One operation: what it does, for whom, what goes in, what comes out."""
    lines = [f"### {methods} {path}\n", operation.get("summary", "")]
    if operation.get("description") not in (None, operation.get("summary")):
        lines += ["", operation["description"]]
    lines += ["", f"- For {callers(operation)}."]
    for parameter in operation["parameters"]:
        lines.append(f"- {parameter['in']} {as_field(parameter['name'], parameter, parameter)}")
    body = operation.get("requestBody", {}).get("content", {})
    lines += [f"- Body: {kind(content['schema'])}" for content in body.values()]
    lines += [
        f"- {status}: {answer_kind(answer)}"
        for status, answer in sorted(operation["responses"].items())
        if status.startswith(("2", "3"))
    ]
    refusals = (
        f"{status}{own_codes(doc, answer)}"
        for status, answer in sorted(operation["responses"].items())
        if status.startswith(("4", "5"))
    )
    lines.append(f"- Refusals: {', '.join(refusals)}")
    return "\n".join(lines) + "\n"


def own_codes(doc: dict[str, Any], answer: dict[str, Any]) -> str:
    """The codes of a refusal, if they are this operation's own."""
    if "$ref" in answer:
        return ""
    schema = answer["content"]["application/problem+json"]["schema"]["$ref"].rpartition("/")[2]
    _problem, narrowed = doc["components"]["schemas"][schema]["allOf"]
    codes = (f"`{code}`" for code in narrowed["properties"]["code"]["enum"])
    return f" ({', '.join(codes)})"


def callers(operation: dict[str, Any]) -> str:
    """Who may call it, in words."""
    if operation.get("x-needs") == "admin":
        return "staff"
    if not operation["security"] or {} in operation["security"]:
        return "everybody"
    schemes = [name for way in operation["security"] for name in way]
    return " or ".join(CALLERS.get(name, "signed-in callers") for name in schemes)


def answer_kind(answer: dict[str, Any]) -> str:
    """The shape of an answer's body."""
    kinds = [kind(content["schema"]) for content in answer.get("content", {}).values()]
    return ", ".join(kinds) or "nothing"


def shape(name: str, schema: dict[str, Any]) -> str:
    """The fields of a schema, as a table."""
    if "properties" not in schema:
        return f"### {name}\n\n{kind(schema)}. {notes(schema)}".rstrip(" .") + ".\n"
    required = set(schema.get("required", []))
    rows = [
        f"| `{name}`{' *' if name in required else ''} | {kind(field)} | {notes(field)} |"
        for name, field in schema.get("properties", {}).items()
    ]
    head = [f"### {name}\n", "| Field | Type | |", "|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def as_field(name: str, field: dict[str, Any], holder: dict[str, Any]) -> str:
    """A parameter in one line."""
    schema = field.get("schema", {})
    remarks = ". ".join(
        part.rstrip(".") for part in (holder.get("description", ""), notes(schema)) if part
    )
    must = ", required" if holder.get("required") and holder["in"] != "path" else ""
    return f"`{name}` ({kind(schema)}{must}){f': {remarks}.' if remarks else ''}"


def kind(schema: dict[str, Any]) -> str:
    """The type of a value in words, with links to other shapes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for word in ("anyOf", "allOf", "oneOf"):
        if word in schema:
            return " or ".join(kind(option) for option in schema[word])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    types = schema.get("type", "any")
    return " or ".join(types) if isinstance(types, list) else str(types)


def notes(schema: dict[str, Any]) -> str:
    """The description, limits and choices of a value."""
    parts = [schema.get("description", "").rstrip(".").replace("|", "\\|")]
    if "enum" in schema:
        parts.append("one of " + ", ".join(f"`{choice}`" for choice in schema["enum"]))
    if schema.get("format"):
        parts.append(schema["format"])
    for word, low, high in (
        ("", "minimum", "maximum"),
        (" characters", "minLength", "maxLength"),
        (" items", "minItems", "maxItems"),
    ):
        if low in schema or high in schema:
            parts.append(f"{schema.get(low, '')}…{schema.get(high, '')}{word}")
    if schema.get("default") is not None:
        parts.append(f"default `{schema['default']}`")
    if schema.get("readOnly"):
        parts.append("in answers only")
    if schema.get("writeOnly"):
        parts.append("in requests only")
    return "; ".join(part for part in parts if part)


def main() -> int:
    """Print the page, or compare it with the one that is there."""
    page = markdown(document())
    if "--check" not in sys.argv[1:]:
        sys.stdout.write(page)
        return 0
    target = ROOT / "API.md"
    if target.is_file() and target.read_text(encoding="utf-8") == page:
        return 0
    sys.stderr.write("API.md is stale: scripts/api_md.py > API.md\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
