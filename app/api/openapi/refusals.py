"""The refusals of each operation, with the codes that they may have.

`COMMON` has the codes that the frame of every operation gives, and `CODES` those of its service, by the
`operationId`. The tests compare them with every answer of the API that they get.
"""

from collections.abc import Mapping, Sequence

from apispec import APISpec
from marshmallow import Schema

from app.api.openapi.document import SCHEMA_PREFIX, JsonObject, operations
from app.utils.error_handlers import TITLES
from app.web.callers.buyers import IDEMPOTENCY_KEY

PROBLEM = "application/problem+json"
RESPONSE_PREFIX = "#/components/responses/"
HEADERS = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}
DEFAULT = "Problem"
"""The name of the component for all other refusals and failures."""
Codes = Mapping[int, Sequence[str]]

COMMON: Codes = {
    400: ["bad_request", "malformed_json"],
    401: ["unauthenticated", "invalid_token"],
    403: ["forbidden", "mfa_setup_required"],
    404: ["not_found"],
    409: ["conflict"],
    412: ["precondition_failed"],
    413: ["content_too_large"],
    415: ["unsupported_media_type"],
    422: ["validation_error", "unknown_parameter"],
    429: ["rate_limited"],
    503: ["unavailable"],
}
_LISTS: Codes = {422: ["use_cursor"]}
_KEYS: Codes = {
    409: ["idempotency_key_in_use"],
    422: ["idempotency_key_invalid", "idempotency_key_reused"],
}
_NO_KEYS: Codes = {422: ["idempotency_not_supported"]}
_HASHES: Codes = {503: ["busy"]}
_OWN_PASSWORD: Codes = {401: ["invalid_credentials"], 429: ["too_many_attempts"], 503: ["busy"]}
_NAMES: Codes = {409: ["slug_taken"]}
_PRODUCTS: Codes = {409: ["slug_taken", "sku_taken"], 422: ["variant_required"]}

CODES: dict[str, Sequence[Codes]] = {
    "auth.register": [_HASHES, {409: ["email_taken"]}],
    "auth.login": [_OWN_PASSWORD, {401: ["mfa_required"]}],
    "auth.complete_sign_in": [
        {401: ["invalid_code", "invalid_mfa_token"], 429: ["too_many_attempts"]}
    ],
    "recovery.reset_password": [{422: ["token_invalid"]}, _HASHES],
    "recovery.verify_email": [{409: ["email_taken"], 422: ["token_invalid"]}],
    "users.change_email": [_OWN_PASSWORD, {429: ["too_many_mails"]}],
    "mfa.begin_mfa": [_OWN_PASSWORD, {409: ["mfa_enabled"]}],
    "mfa.confirm_mfa": [{409: ["mfa_enabled", "mfa_not_begun"], 429: ["too_many_attempts"]}],
    "mfa.renew_recovery_codes": [_OWN_PASSWORD, {409: ["mfa_not_enabled"]}],
    "mfa.remove_mfa": [_OWN_PASSWORD, {409: ["mfa_not_enabled"]}],
    "mfa.remove_mfa_of_user": [{409: ["mfa_not_enabled", "own_account"]}],
    "users.close_account": [_OWN_PASSWORD, {409: ["last_admin"]}],
    "users.change_password": [_OWN_PASSWORD],
    "users.add_address": [{409: ["too_many_addresses"]}],
    "users.change_user": [{409: ["last_admin"]}],
    "users.release_address": [{409: ["account_in_use"]}],
    "tax_rates.create_rate": [{409: ["tax_rate_taken"]}],
    "tax_rates.edit_rate": [{409: ["tax_rate_taken"]}],
    "shipping.create_zone": [{409: ["place_taken"]}],
    "shipping.edit_zone": [{409: ["place_taken"]}],
    "shipping.delete_zone": [{409: ["zone_not_empty"]}],
    "categories.create_category": [_NAMES],
    "categories.edit_category": [_NAMES],
    "categories.delete_category": [{409: ["category_not_empty"]}],
    "products.create_product": [_PRODUCTS],
    "products.edit_product": [_PRODUCTS, {409: ["stock_promised"]}],
    "stock.change_stock": [{409: ["stock_promised"], 422: ["variant_required"]}],
    "products.edit_variant": [{409: ["sku_taken", "stock_promised"]}],
    "images.add_image": [{409: ["too_many_images"], 503: ["storage_full"]}],
    "cart.add_item": [{409: ["cart_full", "out_of_stock"], 422: ["variant_required"]}],
    "cart.change_item": [{409: ["out_of_stock"]}],
    "promotions.add_codes": [{409: ["code_taken"]}],
    "cart.add_code": [
        {
            409: ["code_used_up"],
            422: [
                "cart_empty",
                "cart_too_large",
                "code_expired",
                "code_not_applicable",
                "code_unknown",
                "too_many_codes",
            ],
            429: ["too_many_attempts"],
        }
    ],
    "cart.get_quote": [{422: ["cart_empty", "cart_too_large", "total_too_large"]}],
    "orders.place_order": [
        {
            409: [
                "code_expired",
                "code_unknown",
                "code_used_up",
                "email_not_verified",
                "guest_limit",
                "out_of_stock",
                "total_changed",
            ],
            422: [
                "address_required",
                "cart_empty",
                "cart_too_large",
                "shipping_method_not_available",
                "shipping_method_required",
                "total_too_large",
            ],
        }
    ],
    "webhooks.create_endpoint": [{409: ["too_many_webhook_endpoints"]}],
    "webhooks.resend": [{409: ["webhook_endpoint_inactive"]}],
    "orders.list_orders": [{403: []}],
    "orders.cancel_order": [{409: ["illegal_transition"]}],
    "orders.change_status": [{409: ["illegal_transition"]}],
}


def register(spec: APISpec, problem: type[Schema]) -> None:
    """Register a component for each refusal: a problem (RFC 9457) with its headers."""
    for status, title in TITLES.items():
        answer = {
            "description": title,
            "content": {PROBLEM: {"schema": problem}},
            "headers": {name: name for name in ["X-Request-ID", *HEADERS.get(status, [])]},
        }
        spec.components.response(name_of(status), answer, lazy=True)
    other = {
        "description": "Any other refusal or failure",
        "content": {PROBLEM: {"schema": problem}},
        "headers": {"X-Request-ID": "X-Request-ID"},
    }
    spec.components.response(DEFAULT, other)


def name_of(status: int) -> str:
    """The name of the component for answers with this status."""
    return TITLES[status].replace(" ", "")


def add_codes(document: JsonObject) -> JsonObject:
    """List the codes of every refusal. An operation that has other codes than COMMON for a status gets a
    schema of its own."""
    components = document["components"]
    for status, codes in COMMON.items():
        name = f"{name_of(status)}Problem"
        components["schemas"][name] = _problem_with(codes)
        components["responses"][name_of(status)]["content"][PROBLEM]["schema"] = _reference(name)
    for method, operation in operations(document):
        for group in CODES.get(_name(operation), ()):
            for status in group:
                reference = {"$ref": RESPONSE_PREFIX + name_of(status)}
                operation["responses"].setdefault(str(status), reference)
        for status, codes in codes_of(method, operation).items():
            if str(status) in operation["responses"] and list(codes) != list(COMMON[status]):
                name = _own_name(operation, status)
                components["schemas"][name] = _problem_with(codes)
                answer = dict(components["responses"][name_of(status)])
                answer["content"] = {PROBLEM: {"schema": _reference(name)}}
                operation["responses"][str(status)] = answer
        operation["responses"]["default"] = {"$ref": RESPONSE_PREFIX + DEFAULT}
    return document


def codes_of(method: str, operation: JsonObject) -> dict[int, list[str]]:
    """The codes that an operation may answer, by status."""
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    groups = [COMMON, *CODES.get(_name(operation), ())]
    groups += [_LISTS] if "page" in names else []
    if method == "post":
        groups.append(_KEYS if IDEMPOTENCY_KEY in names else _NO_KEYS)
    codes: dict[int, list[str]] = {}
    for group in groups:
        for status, more in group.items():
            codes.setdefault(status, []).extend(more)
    return codes


def _name(operation: JsonObject) -> str:
    """PUT is PATCH by another name."""
    return str(operation["operationId"]).removesuffix(".put")


def _own_name(operation: JsonObject, status: int) -> str:
    words = _name(operation).partition(".")[2].split("_")
    return "".join(word.title() for word in words) + name_of(status)


def _problem_with(codes: Sequence[str]) -> JsonObject:
    code = {"type": "string", "description": "A stable word for programs.", "enum": list(codes)}
    narrowed = {"type": "object", "properties": {"code": code}, "required": ["code"]}
    return {"allOf": [_reference("Problem"), narrowed]}


def _reference(name: str) -> JsonObject:
    return {"$ref": SCHEMA_PREFIX + name}
