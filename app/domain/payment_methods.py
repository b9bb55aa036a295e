"""The ways to pay that the shop knows."""

from typing import Literal, NamedTuple


class PaymentMethod(NamedTuple):
    """A way to pay. Online ones send the customer to a provider."""

    id: str
    name: str
    kind: Literal["online", "offline"]


PAYMENT_METHODS = {
    method.id: method
    for method in (
        PaymentMethod("prepayment", "Bank transfer in advance", "offline"),
        PaymentMethod("invoice", "Invoice", "offline"),
    )
}
