"""Accounts, their sessions and addresses, and the counts of failed sign-ins."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import IDS_USED_ONCE, Base, partial_index
from app.domain.clock import utc_now
from app.models.timestamps import Timestamped
from app.models.word_index import OUTDATED_WORDS


class User(Timestamped, Base):
    """An account. A deleted account stays as a row without personal data, because orders refer to it."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('customer', 'admin')", name="role_known"),
        CheckConstraint(
            "(deleted_at IS NULL) = (email IS NOT NULL AND email_key IS NOT NULL)",
            name="email_unless_deleted",
        ),
        Index("ix_users_role", "role"),
        partial_index("ix_users_outdated_lookup_words", "id", where=OUTDATED_WORDS),
    )

    email: Mapped[str | None] = mapped_column(String(254))
    # The address for comparisons: in one case and one Unicode form.
    email_key: Mapped[str | None] = mapped_column(String(254), unique=True)
    email_verified_at: Mapped[datetime | None]
    password_hash: Mapped[str] = mapped_column(String(100))
    # Incremented by a new password, not by a new hash of the same password.
    password_version: Mapped[int] = mapped_column(default=0, server_default="0")
    first_name: Mapped[str] = mapped_column(String(100), default="", server_default="")
    last_name: Mapped[str] = mapped_column(String(100), default="", server_default="")
    role: Mapped[str] = mapped_column(String(20), default="customer", server_default="customer")
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    deleted_at: Mapped[datetime | None]
    # The words of the name, by which staff find it.
    lookup_words: Mapped[str | None] = mapped_column(Text)

    @property
    def email_verified(self) -> bool:
        """Whether a link that was sent to the address has confirmed it."""
        return self.email_verified_at is not None

    def set_password(self, password_hash: str) -> None:
        """Store the hash of a new password. Device tokens of the old one become invalid."""
        self.password_hash = password_hash
        self.password_version = (self.password_version or 0) + 1


class Session(Base):
    """One sign-in, from login to logout: a family of refresh tokens, of which only the newest is valid."""

    __tablename__ = "sessions"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # Incremented by every refresh: a refresh token of an older generation was used before.
    generation: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    # A hash of the network of the sign-in: failures from elsewhere do not lock this network out.
    place: Mapped[str | None] = mapped_column(String(32))
    # The program that signed in, as it names itself. Personal data, erased with the account.
    user_agent: Mapped[str | None] = mapped_column(String(200))
    # Exact to `session_service.USE_INTERVAL`; null in a row that a release before wrote.
    last_used_at: Mapped[datetime | None]


class SecondFactor(Base):
    """The secret by which an account's authenticator makes codes (TOTP, RFC 6238).

    It is asked for at sign-ins once a code has confirmed that the authenticator has it.
    """

    __tablename__ = "second_factors"
    __table_args__ = (
        CheckConstraint("(confirmed_at IS NULL) = (last_step IS NULL)", name="step_once_confirmed"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    # Encrypted by `app.encryption`, under the key of this name.
    secret: Mapped[str] = mapped_column(String(200))
    key_id: Mapped[str] = mapped_column(String(16), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    confirmed_at: Mapped[datetime | None]
    # The period of 30 s of the last code that counted: no code counts twice.
    last_step: Mapped[int | None]


class RecoveryCode(Base):
    """A code that stands in for an authenticator once. A code that was used has no row any more."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "code_hash"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    code_hash: Mapped[str] = mapped_column(String(64))


class SignInStep(Base):
    """A sign-in whose password was right and whose code is missing yet."""

    __tablename__ = "sign_in_steps"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    # A new password makes the step invalid.
    password_version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AccountToken(Base):
    """The single-use secret of a link in a mail, by which the holder of an address proves to be that.

    Neither this row nor the mail's holds the secret: it is derived from `seed` when the mail is sent.
    """

    __tablename__ = "account_tokens"
    __table_args__ = (
        CheckConstraint("purpose IN ('reset', 'verify', 'email')", name="purpose_known"),
        IDS_USED_ONCE,
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(10))
    # Where the link is sent: the account's address, or the one that is to replace it.
    email: Mapped[str] = mapped_column(String(254))
    seed: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    # A new password makes the token invalid.
    password_version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class LoginThrottle(Base):
    """Failed sign-ins, counted by hashes of email addresses, whether or not an account exists."""

    __tablename__ = "login_throttles"

    key: Mapped[str] = mapped_column(String(64), unique=True)
    failures: Mapped[int] = mapped_column(default=0)
    # From how many networks, in the row that counts the failures of all networks.
    networks: Mapped[int] = mapped_column(default=0, server_default="0")
    last_failed_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    locked_until: Mapped[datetime | None]


class Address(Timestamped, Base):
    """An entry of a customer's address book. Orders copy it."""

    __tablename__ = "addresses"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    line1: Mapped[str] = mapped_column(String(200))
    line2: Mapped[str] = mapped_column(String(200), default="", server_default="")
    city: Mapped[str] = mapped_column(String(100))
    region: Mapped[str] = mapped_column(String(100), default="", server_default="")
    postal_code: Mapped[str] = mapped_column(String(20), default="", server_default="")
    country: Mapped[str] = mapped_column(String(2))
    phone: Mapped[str] = mapped_column(String(40), default="", server_default="")
