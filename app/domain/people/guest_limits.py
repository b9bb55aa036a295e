"""The limits on guests, who order without an account."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GuestLimits:
    """The limits on guests; 0 means no limit.

    `order_units`: units of one article in one order. The others count open orders of one network or
    email address: units of one article in all of them, and how many orders there are.
    """

    order_units: int = 0
    network_units: int = 0
    email_units: int = 0
    network_orders: int = 0
    email_orders: int = 0
