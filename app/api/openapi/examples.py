"""Examples of all bodies: those of requests are written here, those of answers follow from the schemas."""

from collections.abc import Mapping

from app.api.openapi.document import JsonObject, operations, schema_name
from app.domain.money import to_text

_ADDRESS: JsonObject = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}
AMOUNTS = {
    "price": 4900, "from_price": 4900, "unit_price": 4900, "line_total": 9800, "subtotal": 9800, "total": 9800,
    "expected_total": 9800, "compare_at_price": 5900, "discount_total": 0, "shipping_total": 0,
    "tax_total": 0, "taxable": 9800, "amount": 0, "free_from": 9800,
}  # fmt: skip
"""Amounts in minor units, by field."""
REQUESTS: Mapping[str, JsonObject] = {
    "AddItem": {"variant_id": 42, "quantity": 2},
    "AddressInput": _ADDRESS,
    "AddressUpdate": {"phone": "+44 20 7946 0958"},
    "Cancel": {"note": "Ordered by mistake."},
    "CategoryInput": {"name": "Tables"},
    "CategoryUpdate": {"position": 2},
    "ChangeItem": {"quantity": 3},
    "ChangePassword": {
        "current_password": "a long forgotten phrase", "new_password": "quite another phrase 7"
    },
    "ChangeStatus": {"status": "shipped", "note": "With DHL."},
    "CloseAccount": {"password": "quite another phrase 7"},
    "Login": {"email": "ada@example.com", "password": "quite another phrase 7"},
    "Code": {"code": "492039"},
    "SecondStep": {"mfa_token": "k1iJ7Yc0", "code": "492039"},
    "TaxRateInput": {"name": "VAT", "country": "GB", "rate": "20"},
    "TaxRateUpdate": {"rate": "20"},
    "ShippingZoneInput": {"name": "Great Britain", "places": [{"country": "GB"}]},
    "ShippingZoneUpdate": {"rest_of_world": True},
    "ShippingMethodInput": {"zone_id": 42, "name": "Parcel", "rates": [{"from": 0, "price": "5"}]},
    "ShippingMethodUpdate": {"min_days": 1, "max_days": 3},
    "PromotionInput": {"name": "Ten percent", "kind": "percentage", "value": "10"},
    "PromotionUpdate": {"is_active": False},
    "NewCodes": {"count": 100, "prefix": "SUMMER-"},
    "CartCode": {"code": "WELCOME10"},
    "Token": {"token": "k1iJ7Yc0"},
    "ChangeEmail": {"new_email": "ann@example.org", "password": "quite another phrase 7"},
    "ForgotPassword": {"email": "ann@example.com"},
    "ResetPassword": {"token": "k1iJ7Yc0", "new_password": "quite another phrase 7"},
    "Password": {"password": "quite another phrase 7"},
    "OneVariantUpdate": {"sku": "OAK-2"},
    "QuoteRequest": {"shipping_address": {"country": "GB"}, "shipping_method_id": 42},
    "PlaceOrder": {"shipping_address": _ADDRESS, "expected_total": ""},
    "ProductInput": {"name": "Oak table", "price": "", "sku": "OAK-1", "stock": 7},
    "ProductUpdate": {"price": "", "is_active": True},
    "Profile": {"first_name": "Ada", "last_name": "Lovelace"},
    "Register": {"email": "ada@example.com", "password": "quite another phrase 7"},
    "SettingsUpdate": {"legal_name": "Osier Ltd", "country": "GB", "vat_id": "GB980780684"},
    "StaffChanges": {"is_active": False},
    "StockChange": {"delta": 5, "reason": "Delivery of 22 November"},
    "WebhookEndpointInput": {"url": "https://erp.example/shop", "types": ["order.placed"]},
    "WebhookEndpointUpdate": {"is_active": False},
}  # fmt: skip
"""By schema; empty amounts are filled in, in the shop's currency."""
VALUES: Mapping[str, object] = {
    **_ADDRESS,
    "access_token": "eyJhbGciOiJIUzI1NiIs", "refresh_token": "eyJhbGciOiJIUzI1NiJ9",
    "token_type": "Bearer", "expires_in": 900, "guest_token": "k1iJ7Yc0",
    "alt": "An oak table from the front", "currency": "USD", "description": "Of solid oak.",
    "email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace", "id": 42,
    "image": "9f86d081884c7d659a2feaa0c55ad015", "line2": "", "region": "", "phone": "",
    "name": "Oak table", "next_cursor": "WyItY3JlYXRlZF9hdCIsMV0", "note": "", "page": 1, "pages": 1,
    "per_page": 20, "total": 1, "number": "SW-7K2M-0QXD-94TV", "order_number": "SW-7K2M-0QXD-94TV",
    "options": {"Size": "M"}, "quantity": 2, "item_count": 2, "reason": "Delivery of 22 November",
    "rate": "20", "tax_class": "standard", "basis": "flat", "min_days": 1, "max_days": 3, "from": 0, "until": None,
    "request_id": "5f0c7a1e9b4d4c0e8a57d3f1c2b6a901", "sku": "OAK-1", "slug": "oak-table",
    "type": "about:blank", "url": "/media/9f86d081884c7d659a2feaa0c55ad015-1600.webp",
    "values": ["M", "L"], "width": 1600, "height": 1200,
}  # fmt: skip
"""The values of fields in answers."""
OWN_VALUES: Mapping[str, JsonObject] = {
    "Address": {"name": "Ada Lovelace"},
    "Event": {"type": "order.placed"},
    "WebhookDelivery": {"type": "order.placed", "status": "delivered"},
    "WebhookEndpoint": {"url": "https://erp.example/shop"},
    "NewWebhookEndpoint": {"url": "https://erp.example/shop"},
    "Category": {"name": "Tables", "slug": "tables", "parent_id": None},
    "CodeState": {"code": "WELCOME10", "reason": None},
    "CategoryName": {"name": "Tables", "slug": "tables"},
    "Option": {"name": "Size"},
    "Image": {"id": "9f86d081884c7d659a2feaa0c55ad015"},
    "PaymentMethod": {"id": "invoice", "name": "Invoice", "kind": "offline"},
    "PostalAddress": {"name": "Ada Lovelace"},
    "Settings": {
        "name": "Osier",
        "legal_name": "Osier Ltd",
        "email": "hello@osier.example",
        "locale": "en_GB",
        "vat_id": "GB980780684",
        "hold_minutes": 30,
        "prepayment_days": 7,
        "return_days": 30,
        "invoice_days": 14,
    },
    "StoreAddress": {"name": ""},
}
"""Where a schema's field has another value."""
TIME = "2026-11-22T09:30:00Z"


def add_examples(document: JsonObject, currency: str) -> JsonObject:
    """Add an example to every JSON body of a request, and to every one of a successful answer."""
    examples = _Examples(document["components"]["schemas"], currency)
    for _method, operation in operations(document):
        for media in _json(operation.get("requestBody", {})):
            media["example"] = examples.of_request(schema_name(media["schema"]))
        for status, answer in operation["responses"].items():
            for media in _json(answer) if str(status).startswith("2") else ():
                media["example"] = examples.of_answer(media["schema"])
    return document


def _json(part: JsonObject) -> list[JsonObject]:
    media = part.get("content", {}).get("application/json")
    return [media] if media else []


class _Examples:
    """Builds examples of the document's schemas."""

    def __init__(self, schemas: JsonObject, currency: str) -> None:
        self._schemas, self._currency = schemas, currency

    def of_request(self, name: str) -> JsonObject:
        """The example of a request, with its amounts in the shop's currency."""
        return {
            field: self._amount(field) if value == "" else value
            for field, value in REQUESTS[name].items()
        }

    def of_answer(self, schema: JsonObject, field: str = "", owner: str = "") -> object:
        """An example of a schema in an answer: of a field with a name, in a component."""
        if "$ref" in schema:
            name = schema_name(schema)
            if name == "Money":
                return self._amount(field)
            return self.of_answer(self._schemas[name], owner=name)
        if "anyOf" in schema:
            return self.of_answer(schema["anyOf"][0], field)
        if "properties" in schema:
            return self._object(schema["properties"], owner)
        if field in VALUES and schema.get("type") != "array":
            return VALUES[field]
        return self._plain(schema, field)

    def _object(self, fields: JsonObject, owner: str) -> JsonObject:
        own = OWN_VALUES.get(owner, {})
        # A list has a page or a cursor.
        skipped = {"next_cursor", "total_is_estimate"} if "next_cursor" in fields else set()
        return {
            name: own[name] if name in own else self.of_answer(schema, name)
            for name, schema in fields.items()
            if name not in skipped
        }

    def _plain(self, schema: JsonObject, field: str) -> object:
        if "enum" in schema:
            return schema["enum"][0]
        if schema.get("format") == "date-time":
            return TIME
        kind = schema["type"][0] if isinstance(schema["type"], list) else schema["type"]
        if kind == "array":
            return VALUES[field] if field == "values" else [self.of_answer(schema["items"], field)]
        return {"integer": 1, "boolean": True, "object": {}, "string": field}[kind]

    def _amount(self, field: str) -> str:
        return to_text(AMOUNTS.get(field, 4900), self._currency)
