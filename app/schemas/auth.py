"""The JSON of registration and sign-in."""

from typing import Any, TypedDict

from marshmallow import ValidationError, fields, validates_schema

from app.domain.people import emails, passwords, second_factor
from app.schemas.base import Body, Name, ShopSchema, Text, Time
from app.services.operations import store_service


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

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"format": "email", **kwargs.pop("metadata", {})}
        super().__init__(emails.MAX_LENGTH, low=3, metadata=metadata, **kwargs)

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
        words = [store_service.known_details().name, data["email"]]
        words += [data.get("first_name", ""), data.get("last_name", "")]
        weakness = passwords.weakness(data["password"], words)
        if weakness:
            raise ValidationError({"password": [weakness]})


class LoginSchema(ShopSchema):
    """The email and password of a sign-in. Text that is no address is refused like an unknown one."""

    email = Text(emails.MAX_LENGTH, low=1, required=True)
    password = Password()


class ForgotPasswordSchema(ShopSchema):
    """Whose password is forgotten. Text that is no address is treated like an unknown one."""

    email = Text(emails.MAX_LENGTH, low=1, required=True)


class Token(Text):
    """The token of a link in a mail."""

    def __init__(self) -> None:
        super().__init__(100, low=1, required=True)


class ResetPasswordSchema(ShopSchema):
    """The token of a link, and the password to set."""

    token = Token()
    new_password = NewPassword()


class TokenSchema(ShopSchema):
    """The token of a link in a mail."""

    token = Token()


class ChangeEmailSchema(ShopSchema):
    """A new address, and proof that the owner of the account asks."""

    new_email = Email(required=True)
    password = Password()


class Code(Text):
    """A code of an authenticator or a recovery code, with or without blanks and hyphens."""

    def __init__(self) -> None:
        metadata = {"examples": ["492039"]}
        super().__init__(second_factor.MAX_LENGTH, low=1, metadata=metadata, required=True)


class SecondStepSchema(ShopSchema):
    """The second step of a sign-in: the token of its first step, and a code."""

    mfa_token = Text(100, low=1, required=True)
    code = Code()


class CodeSchema(ShopSchema):
    """A code of the authenticator."""

    code = Code()


class PasswordSchema(ShopSchema):
    """Proof that the owner of the account asks."""

    password = Password()


class MfaSchema(ShopSchema):
    """The state of the caller's second factor."""

    enabled = fields.Boolean(attribute="is_enabled")
    confirmed_at = Time(
        allow_none=True, metadata={"description": "Since when; null if not enabled."}
    )
    recovery_codes = fields.Integer(metadata={"description": "How many recovery codes are left."})


class MfaSetupSchema(ShopSchema):
    """What an authenticator needs. It is not shown again after its confirmation."""

    secret = fields.String(metadata={"description": "In base 32, to be typed in."})
    otpauth_uri = fields.String(metadata={"description": "The same, to be shown as a QR code."})


class RecoveryCodesSchema(ShopSchema):
    """Codes that each stand in for the authenticator once. They are shown this once."""

    recovery_codes = fields.List(fields.String())


class TokensSchema(ShopSchema):
    """The tokens of a session."""

    access_token = fields.String(metadata={"description": "Send it as `Authorization: Bearer …`."})
    refresh_token = fields.String(
        metadata={"description": "Valid for one use at `/api/auth/refresh`."}
    )
    token_type = fields.String(metadata={"examples": ["Bearer"]})
    expires_in = fields.Integer(metadata={"description": "Seconds until the access token expires."})
