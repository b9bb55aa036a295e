"""The JSON of registration and sign-in."""

from typing import Any

from flask import current_app
from marshmallow import ValidationError, fields, validates_schema

from app.domain.people import emails, passwords
from app.schemas.base import ShopSchema, Text


class Email(Text):
    """An email address, in its usual spelling from here on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(emails.MAX_LENGTH, low=3, metadata={"format": "email"}, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return emails.clean(text)
        except emails.NotAnEmail as error:
            raise ValidationError(str(error)) from None


class GivenPassword(fields.String):
    """A password to compare: taken as it is, however weak."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {
            "format": "password",
            "minLength": 1,
            "pattern": "^[^\\u0000]*$",
            **kwargs.pop("metadata", {}),
        }
        super().__init__(required=True, load_only=True, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        if not passwords.is_readable(text):
            raise ValidationError("Not a password.")
        return text


class NewPassword(GivenPassword):
    """A password to set: neither too short nor too long nor a common one."""

    def __init__(self) -> None:
        length = {"minLength": passwords.MIN_LENGTH, "maxLength": passwords.MAX_LENGTH}
        super().__init__(metadata=length)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
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
    def _no_known_password(self, data: dict[str, Any], **_kwargs: Any) -> None:
        words = [current_app.config["STORE_NAME"], data["email"]]
        words += [data.get("first_name", ""), data.get("last_name", "")]
        weakness = passwords.weakness(data["password"], words)
        if weakness:
            raise ValidationError({"password": [weakness]})


class LoginSchema(ShopSchema):
    """Who wants to sign in. What is no address is simply unknown."""

    email = Text(emails.MAX_LENGTH, low=1, required=True)
    password = GivenPassword()


class TokensSchema(ShopSchema):
    """The tokens of a session."""

    access_token = fields.String(metadata={"description": "Send it as `Authorization: Bearer …`."})
    refresh_token = fields.String(
        metadata={"description": "Valid for one use at `/api/auth/refresh`."}
    )
    token_type = fields.String(metadata={"example": "Bearer"})
    expires_in = fields.Integer(metadata={"description": "Seconds until the access token expires."})
