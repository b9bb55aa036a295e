"""The JSON of accounts and their addresses."""

from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import OneOf

from app.domain.countries import is_country
from app.schemas.auth import GivenPassword, NewPassword
from app.schemas.base import Flag, ShopSchema, Text, Time
from app.schemas.paging import PageArgs

ROLES = ("customer", "admin")


class Country(Text):
    """An ISO 3166-1 alpha-2 code; small letters are made capitals."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": "^[A-Za-z]{2}$", "format": "iso-3166-1", "example": "DE"}
        super().__init__(2, low=2, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        code = super()._deserialize(value, attr, data, **kwargs)
        if not code.isascii() or not is_country(code.upper()):
            raise ValidationError("Not a country code of ISO 3166-1, such as DE.")
        return code.upper()


class UserSchema(ShopSchema):
    """An account."""

    id = fields.Integer()
    email = fields.String()
    first_name = fields.String()
    last_name = fields.String()
    role = fields.String(validate=OneOf(ROLES))
    is_active = fields.Boolean()
    created_at = Time()


class ProfileSchema(ShopSchema):
    """What people change about themselves."""

    first_name = Text(100)
    last_name = Text(100)


class StaffChangesSchema(ShopSchema):
    """What staff change about an account."""

    role = fields.String(validate=OneOf(ROLES))
    is_active = Flag()


class UserArgs(PageArgs):
    """Which accounts to list."""

    q = Text(200, load_default="", metadata={"description": "Part of the email or the name."})
    role = fields.String(load_default=None, validate=OneOf(ROLES))
    is_active = fields.Boolean(load_default=None)


class CloseAccountSchema(ShopSchema):
    """Proof that it is the owner who deletes the account."""

    password = GivenPassword()


class ChangePasswordSchema(ShopSchema):
    """The password in use, and the one to come."""

    current_password = GivenPassword()
    new_password = NewPassword()


class PostalAddressSchema(ShopSchema):
    """Where goods go to."""

    name = Text(200, low=1, required=True)
    line1 = Text(200, low=1, required=True)
    line2 = Text(200)
    city = Text(100, low=1, required=True)
    region = Text(100)
    postal_code = Text(20)
    country = Country(required=True)
    phone = Text(40)


class AddressSchema(PostalAddressSchema):
    """An entry of the address book."""

    id = fields.Integer(dump_only=True)
