"""The caller of an operation."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["anonymous", "customer", "admin", "system"]
Interface = Literal["api", "pages", "cli"]


@dataclass(frozen=True)
class Actor:
    """The caller of an operation, as plain values that outlive any database session."""

    role: Role = "anonymous"
    user_id: int | None = None
    session_id: int | None = None
    interface: Interface = "api"
    """The interface that the caller uses."""
    address: str | None = None
    """The network address that the request came from."""
    needs_second_factor: bool = False
    """Whether the account is one of staff that has to set up a second factor before it acts as such."""

    @property
    def is_admin(self) -> bool:
        return self.role in ("admin", "system")

    @property
    def by(self) -> Literal["customer", "staff", "system"]:
        """The word that an order's history shows for this caller."""
        if self.role == "system":
            return "system"
        return "staff" if self.role == "admin" else "customer"


ANONYMOUS = Actor()
SYSTEM = Actor(role="system", interface="cli")
