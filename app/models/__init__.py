"""The tables, and the operations on one row."""

from app.db.base import Base
from app.models.catalogue import Category, Product, StockMovement, Variant
from app.models.events import Event
from app.models.imports import ImportJob
from app.models.jobs import Job
from app.models.mails import Mail
from app.models.promotions import (
    CartCode,
    Promotion,
    PromotionArticle,
    PromotionCode,
    Redemption,
)
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
from app.models.shipping import ShippingMethod, ShippingPlace, ShippingZone
from app.models.store import Store
from app.models.taxes import TaxRate
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
    "MAX_QUANTITY",
    "AccountToken",
    "Address",
    "AuditEvent",
    "Base",
    "Cart",
    "CartCode",
    "CartLine",
    "Category",
    "Checkout",
    "Event",
    "IdempotencyKey",
    "ImportJob",
    "Job",
    "LoginThrottle",
    "Mail",
    "Order",
    "OrderDiscount",
    "OrderEvent",
    "OrderLine",
    "OrderTax",
    "Product",
    "Promotion",
    "PromotionArticle",
    "PromotionCode",
    "RecoveryCode",
    "Redemption",
    "SecondFactor",
    "SecurityEvent",
    "Session",
    "ShippingMethod",
    "ShippingPlace",
    "ShippingZone",
    "SignInStep",
    "StockMovement",
    "Store",
    "TaxRate",
    "User",
    "Variant",
    "WebhookDelivery",
    "WebhookEndpoint",
]  # fmt: skip
