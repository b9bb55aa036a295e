"""The JSON of the shop's settings."""

from dataclasses import asdict
from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import OneOf

from app.domain import vat_ids
from app.domain.store_settings import StoreSettings
from app.schemas.auth import Email
from app.schemas.base import Body, Flag, Name, Part, ShopSchema, Text, Whole
from app.schemas.users import Country

MAX_HOLD_MINUTES = 365 * 24 * 60
MAX_DAYS = 3650
FOR_STAFF = {"x-optional": True}
"""Marks fields that only staff see."""
_ADDRESS = "In the shop's country, which it may repeat. Without a name it is the seller's."


class VatId(Text):
    """A VAT id, whose form and check digits are verified; it is loaded in its usual spelling."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(3 * vat_ids.MAX_LENGTH, 1, **kwargs)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: Any) -> str:
        try:
            return vat_ids.clean(super()._deserialize(value, attr, data, **kwargs))
        except vat_ids.NotAVatId as error:
            raise ValidationError(str(error)) from None


class PaymentMethodSchema(ShopSchema):
    """A way to pay."""

    id = fields.String()
    name = fields.String()
    kind = fields.String(validate=OneOf(("online", "offline")))


class StoreAddressSchema(ShopSchema):
    """The shop's address."""

    name = Text(200)
    line1 = Text(200, low=1, required=True)
    line2 = Text(200)
    city = Text(100, low=1, required=True)
    region = Text(100)
    postal_code = Text(20)
    country = Country(allow_none=True)
    phone = Text(40)


class SettingsSchema(ShopSchema):
    """The settings of the shop. Null removes a setting."""

    name = Text(200, low=1)
    currency = fields.String(dump_only=True)
    locale = fields.String(dump_only=True)
    country = Country(allow_none=True)
    prices_include_tax = Flag()
    payment_methods = fields.List(fields.Nested(PaymentMethodSchema), dump_only=True)
    legal_name = Text(200, low=1, allow_none=True, metadata=FOR_STAFF)
    email = Email(allow_none=True, metadata=FOR_STAFF)
    address = Part(
        StoreAddressSchema, allow_none=True, metadata={**FOR_STAFF, "description": _ADDRESS}
    )
    vat_id = VatId(allow_none=True, metadata=FOR_STAFF)
    hold_minutes = Whole(
        1,
        MAX_HOLD_MINUTES,
        metadata={**FOR_STAFF, "description": "How long an online payment holds the stock."},
    )
    prepayment_days = Whole(
        1,
        MAX_DAYS,
        metadata={**FOR_STAFF, "description": "How long a prepayment holds the stock."},
    )
    return_days = Whole(
        0,
        MAX_DAYS,
        metadata={**FOR_STAFF, "description": "How long customers may ask to return items."},
    )
    invoice_days = Whole(
        0, MAX_DAYS, metadata={**FOR_STAFF, "description": "When an invoice is due."}
    )
    version = fields.Integer(
        dump_only=True, metadata={**FOR_STAFF, "description": "Raised by every edit."}
    )


PUBLIC = ("name", "currency", "locale", "country", "prices_include_tax")
STAFF = (
    "legal_name", "email", "vat_id", "hold_minutes", "prepayment_days", "return_days", "invoice_days", "version",
)  # fmt: skip


def show_settings(settings: StoreSettings, is_admin: bool) -> dict[str, object]:
    """The settings as `SettingsSchema` describes them; staff see all of them."""
    names = (*PUBLIC, *STAFF) if is_admin else PUBLIC
    view: dict[str, object] = {name: getattr(settings, name) for name in names}
    view["payment_methods"] = [method._asdict() for method in settings.payment_methods]
    if is_admin:
        view["address"] = _show_address(settings)
    return view


def _show_address(settings: StoreSettings) -> dict[str, object] | None:
    if settings.address is None:
        return None
    return {**asdict(settings.address), "country": settings.country}
