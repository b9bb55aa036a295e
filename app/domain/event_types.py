"""The types of events, and the kinds of what they are about."""

ORDER_EVENTS = {
    "pending": "order.placed",
    "cancelled": "order.cancelled",
    "shipped": "order.shipped",
    "delivered": "order.delivered",
}
"""The type of the event of an order that comes to a status; other statuses have none."""
EVENT_TYPES = (
    *ORDER_EVENTS.values(),
    "product.created", "product.edited", "product.deleted",
    "stock.low", "stock.out",
    "customer.registered",
)  # fmt: skip
SUBJECT_KINDS = ("order", "product", "variant", "customer")
