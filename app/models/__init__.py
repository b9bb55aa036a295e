"""The tables, and the operations on one row."""

from app.db.base import Base
from app.models.catalogue import Category, Product, StockMovement, Variant
from app.models.events import Event
from app.models.imports import ImportJob
from app.models.jobs import Job
from app.models.mails import Mail
from app.models.sales import (
    MAX_QUANTITY,
    Cart,
    CartLine,
    Checkout,
    IdempotencyKey,
    Order,
    OrderDiscount,
    OrderEvent,
    OrderLine,
    OrderTax,
)
from app.models.store import Store
from app.models.trail import AuditEvent, SecurityEvent
from app.models.users import (
    AccountToken,
    Address,
    LoginThrottle,
    RecoveryCode,
    SecondFactor,
    Session,
    SignInStep,
    User,
)
from app.models.webhooks import WebhookDelivery, WebhookEndpoint

__all__ = [
    "MAX_QUANTITY", "AccountToken", "Address", "AuditEvent", "Base", "Cart", "CartLine", "Category", "Checkout",
    "Event", "IdempotencyKey", "ImportJob", "Job", "LoginThrottle", "Mail", "Order", "OrderDiscount", "OrderEvent",
    "OrderLine", "OrderTax", "Product", "RecoveryCode", "SecondFactor", "SecurityEvent", "Session", "SignInStep",
    "StockMovement", "Store", "User", "Variant", "WebhookDelivery", "WebhookEndpoint",
]  # fmt: skip
