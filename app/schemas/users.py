"""The JSON of accounts and their addresses."""

from typing import Any, TypedDict

from marshmallow import ValidationError, fields
from marshmallow.validate import OneOf

from app.domain.countries import is_country
from app.schemas.auth import NewPassword, Password
from app.schemas.base import Body, Flag, Name, ShopSchema, Text, Time
from app.schemas.paging import CursorArgs, PageArgs

ROLES = ("customer", "admin")


class StaffChanges(TypedDict, total=False):
    """What `StaffChangesSchema` loads."""

    role: str
    is_active: bool


class Country(Text):
    """An ISO 3166-1 alpha-2 code; lower case is accepted."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": "^[A-Za-z]{2}$", "format": "iso-3166-1", "examples": ["DE"]}
        metadata |= kwargs.pop("metadata", {})
        super().__init__(2, low=2, metadata=metadata, **kwargs)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: Any) -> str:
        code = super()._deserialize(value, attr, data, **kwargs)
        if not code.isascii() or not is_country(code.upper()):
            raise ValidationError("Not a country code of ISO 3166-1, such as DE.")
        return code.upper()


class UserSchema(ShopSchema):
    """An account."""

    id = fields.Integer()
    email = fields.String()
    email_verified = fields.Boolean(
        metadata={"description": "Whether the owner of the address has confirmed it."}
    )
    first_name = fields.String()
    last_name = fields.String()
    role = fields.String(validate=OneOf(ROLES))
    is_active = fields.Boolean()
    created_at = Time()


class ProfileSchema(ShopSchema):
    """What users change of their own accounts."""

    first_name = Text(100)
    last_name = Text(100)


class StaffChangesSchema(ShopSchema):
    """What staff change of an account."""

    role = fields.String(validate=OneOf(ROLES))
    is_active = Flag()


class UserArgs(PageArgs):
    """The filters of a list of accounts."""

    q = Text(
        200,
        load_default="",
        metadata={
            "description": "Part of the email or the name, or beginnings of the name's words, in any order."
        },
    )
    role = fields.String(
        load_default=None, validate=OneOf(ROLES), metadata={"description": "Only this role."}
    )
    is_active = fields.Boolean(
        load_default=None, metadata={"description": "Only accounts that are active, or are not."}
    )


class UserListArgs(CursorArgs, UserArgs):
    """The same with cursors, as the API has it."""


class CloseAccountSchema(ShopSchema):
    """Proof that it is the owner who deletes the account."""

    password = Password()


class ChangePasswordSchema(ShopSchema):
    """The present password, and the new one."""

    current_password = Password()
    new_password = NewPassword()


class SessionSchema(ShopSchema):
    """One sign-in of the caller."""

    id = fields.Integer()
    created_at = Time()
    last_used_at = Time()
    user_agent = fields.String(
        metadata={"description": "The program that signed in, as it named itself; may be empty."}
    )
    current = fields.Boolean(metadata={"description": "Whether this request belongs to it."})


def _rows(description: str) -> fields.List[Any]:
    return fields.List(fields.Dict(), metadata={"description": description})


class PersonalDataSchema(ShopSchema):
    """All that the shop knows of the caller."""

    exported_at = Time()
    account = fields.Dict(metadata={"description": "Address, name, role, and when it was created."})
    second_factor = _rows("Since when it is set up; no secret. Empty without one.")
    addresses = _rows("The address book.")
    cart = _rows("What lies in the cart.")
    checkout = _rows("What was entered to order it, for an hour.")
    sessions = _rows("Sign-ins, with the program and the time of the last use.")
    links_in_mails = _rows(
        "Links for new passwords and addresses: what for, and where they were sent."
    )
    codes_in_cart = _rows("The codes in the cart.")
    unfinished_sign_ins = _rows("Sign-ins whose second step is missing.")
    security_log = _rows("Sign-ins, failures and changes, with the network address.")
    mails = _rows("Mails about the account and its orders.")
    stored_answers = _rows("When answers were stored under idempotency keys, for 24 hours.")
    changes_by_staff = _rows("What staff changed of the account.")
    own_changes_as_staff = _rows("What the caller changed as staff.")
    imports = _rows("Product lists that the caller uploaded.")
    orders = _rows("Orders with `items` and `history`.")


class PostalAddressSchema(ShopSchema):
    """The address that goods are sent to."""

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
