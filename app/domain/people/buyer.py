"""Whose cart and whose order it is."""

from dataclasses import dataclass, field

from app.domain.people.actor import Actor
from app.domain.people.tokens import hash_token


@dataclass(frozen=True)
class Buyer:
    """A customer, or else whoever holds a guest cart's token; an account wins over a token."""

    actor: Actor
    cart_token: str | None = field(default=None, repr=False)

    @property
    def user_id(self) -> int | None:
        return self.actor.user_id

    @property
    def guest_token(self) -> str | None:
        """The token, where it counts: without an account."""
        return self.cart_token if self.user_id is None else None

    @property
    def guest_token_hash(self) -> str | None:
        """How the database knows a guest's cart."""
        return hash_token(self.guest_token) if self.guest_token else None
