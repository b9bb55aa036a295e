"""The owner of a cart and an order."""

from dataclasses import dataclass, field

from app.domain.people.actor import Actor
from app.domain.people.tokens import hash_token


@dataclass(frozen=True)
class Buyer:
    """A customer, or a guest who holds a cart's token. A caller with both is the customer."""

    actor: Actor
    cart_token: str | None = field(default=None, repr=False)

    @property
    def user_id(self) -> int | None:
        return self.actor.user_id

    @property
    def guest_token(self) -> str | None:
        """The cart's token of a guest; None for a customer."""
        return self.cart_token if self.user_id is None else None

    @property
    def guest_token_hash(self) -> str | None:
        """The hash under which a guest's cart is stored."""
        return hash_token(self.guest_token) if self.guest_token else None
