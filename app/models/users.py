"""People: accounts, their sessions, their addresses, and the guard against guessing."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, true
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base
from app.domain.clock import utc_now
from app.models.timestamps import Timestamped


class User(Timestamped, Base):
    """An account. A deleted one stays as a tombstone without personal data, for its orders' sake."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('customer', 'admin')", name="role_known"),
        CheckConstraint(
            "(deleted_at IS NULL) = (email IS NOT NULL AND email_key IS NOT NULL)",
            name="email_unless_deleted",
        ),
        Index("ix_users_role", "role"),
    )

    email: Mapped[str | None] = mapped_column(String(254))
    # The address as compared: folded to one case and one Unicode form.
    email_key: Mapped[str | None] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(100))
    # Raised by every new password, and not by a new hash of the same one.
    password_version: Mapped[int] = mapped_column(default=0, server_default="0")
    first_name: Mapped[str] = mapped_column(String(100), default="", server_default="")
    last_name: Mapped[str] = mapped_column(String(100), default="", server_default="")
    role: Mapped[str] = mapped_column(String(20), default="customer", server_default="customer")
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    deleted_at: Mapped[datetime | None]

    def set_password(self, password_hash: str) -> None:
        """Store the hash of a new password; whatever relied on the old one is void."""
        self.password_hash = password_hash
        self.password_version = (self.password_version or 0) + 1


class Session(Base):
    """One sign-in, from login to logout: a family of refresh tokens of which the newest counts."""

    __tablename__ = "sessions"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # Raised by every refresh: a refresh token of an older generation is a spent one.
    generation: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    # A hash of the network that it was begun from: guesses made elsewhere do not lock that one out.
    place: Mapped[str | None] = mapped_column(String(32))


class LoginThrottle(Base):
    """Failed sign-ins, counted under hashes of addresses, whether or not an account exists."""

    __tablename__ = "login_throttles"

    key: Mapped[str] = mapped_column(String(64), unique=True)
    failures: Mapped[int] = mapped_column(default=0)
    # How many networks they came from, where one row counts those of all networks.
    networks: Mapped[int] = mapped_column(default=0, server_default="0")
    last_failed_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    locked_until: Mapped[datetime | None]


class Address(Timestamped, Base):
    """An entry of a customer's address book; orders copy it."""

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
