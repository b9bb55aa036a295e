"""The JSON of registration and sign-in."""

from typing import Any, TypedDict

from flask import current_app
from marshmallow import ValidationError, fields, validates_schema

from app.domain.people import emails, passwords
from app.schemas.base import Body, Name, ShopSchema, Text


class Credentials(TypedDict):
    """What `LoginSchema` loads."""

    email: str
    password: str


class Registration(Credentials, total=False):
    """What `RegisterSchema` loads."""

    first_name: str
    last_name: str


class Email(Text):
    """An email address; it is loaded in its usual spelling (`emails.clean`)."""

    def __init__(self, *, required: bool = False) -> None:
        super().__init__(emails.MAX_LENGTH, low=3, metadata={"format": "email"}, required=required)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return emails.clean(text)
        except emails.NotAnEmail as error:
            raise ValidationError(str(error)) from None


class Password(fields.String):
    """A password to compare: however weak, and unchanged."""

    def __init__(self, **limits: int) -> None:
        metadata = {"format": "password", "minLength": 1, "pattern": "^[^\\u0000]*$", **limits}
        super().__init__(required=True, load_only=True, metadata=metadata)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        if not passwords.is_readable(text):
            raise ValidationError("Not a password.")
        return text


class NewPassword(Password):
    """A password to set: of the right length, and not easy to guess."""

    def __init__(self) -> None:
        super().__init__(minLength=passwords.MIN_LENGTH, maxLength=passwords.MAX_LENGTH)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: Any) -> str:
        text = fields.String._deserialize(self, value, attr, data, **kwargs)
        weakness = passwords.weakness(text)
        if weakness:
            raise ValidationError(weakness)
        return text


class RegisterSchema(ShopSchema):
    """A new account."""

    email = Email(required=True)
    password = NewPassword()
    first_name = Text(100)
    last_name = Text(100)

    @validates_schema
    def _refuse_guessable_password(self, data: Registration, **_kwargs: object) -> None:
        words = [current_app.config["STORE_NAME"], data["email"]]
        words += [data.get("first_name", ""), data.get("last_name", "")]
        weakness = passwords.weakness(data["password"], words)
        if weakness:
            raise ValidationError({"password": [weakness]})


class LoginSchema(ShopSchema):
    """The email and password of a sign-in. Text that is no address is refused like an unknown one."""

    email = Text(emails.MAX_LENGTH, low=1, required=True)
    password = Password()


class TokensSchema(ShopSchema):
    """The tokens of a session."""

    access_token = fields.String(metadata={"description": "Send it as `Authorization: Bearer …`."})
    refresh_token = fields.String(
        metadata={"description": "Valid for one use at `/api/auth/refresh`."}
    )
    token_type = fields.String(metadata={"examples": ["Bearer"]})
    expires_in = fields.Integer(metadata={"description": "Seconds until the access token expires."})
