"""Carts and orders."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base, partial_index
from app.domain.clock import utc_now
from app.domain.order_status import OrderStatus, check_transition
from app.domain.pricing.model import DiscountKind, TaxTreatment
from app.models.timestamps import Timestamped
from app.models.word_index import OUTDATED_WORDS

MAX_QUANTITY = 100_000
OPEN = "status = 'pending' AND guest_{}_hash IS NOT NULL"


class Cart(Timestamped, Base):
    """A shopping cart: one for each customer, one for each guest's token."""

    __tablename__ = "carts"
    __table_args__ = (
        CheckConstraint("(user_id IS NULL) != (token_hash IS NULL)", name="one_owner"),
        # For the cleanup of guests' carts.
        partial_index("ix_carts_updated_at", "updated_at", where="user_id IS NULL"),
    )

    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), unique=True
    )
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)


class CartLine(Base):
    """A variant in a cart. It reserves no stock."""

    __tablename__ = "cart_lines"
    __table_args__ = (
        UniqueConstraint("cart_id", "variant_id"),
        CheckConstraint(f"quantity BETWEEN 1 AND {MAX_QUANTITY}", name="quantity_in_range"),
    )

    cart_id: Mapped[int] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"))
    variant_id: Mapped[int] = mapped_column(
        ForeignKey("variants.id", ondelete="RESTRICT"), index=True
    )
    quantity: Mapped[int]
    # The price when the line was last written: the cart warns when it has changed.
    price_seen: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Checkout(Base):
    """What a buyer has entered to order a cart; once the order is placed, its number instead."""

    __tablename__ = "checkouts"
    __table_args__ = (
        CheckConstraint(
            "(details IS NULL) != (order_number IS NULL)", name="details_until_ordered"
        ),
    )

    cart_id: Mapped[int] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"), unique=True)
    browser_hash: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(32))
    details: Mapped[dict[str, str] | None]
    order_number: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class ShippingMethodName(NamedTuple):
    """How an order is shipped, by the name that the method had then."""

    id: int
    name: str


def method_name(method_id: int | None, name: str | None) -> ShippingMethodName | None:
    """The method of an order; None if it has none."""
    return None if method_id is None else ShippingMethodName(method_id, name or "")


class Order(Base):
    """An order. Names and prices are copied into it and never looked up again."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(
            "status IN ('pending', 'processing', 'shipped', 'delivered', 'cancelled')",
            name="status_known",
        ),
        CheckConstraint(
            "total = subtotal - discount_total + shipping_total"
            " + CASE WHEN tax_included THEN 0 ELSE tax_total END",
            name="total_adds_up",
        ),
        CheckConstraint(
            "tax_treatment IN ('standard', 'reverse_charge', 'export')", name="tax_treatment_known"
        ),
        CheckConstraint(
            "0 <= shipping_discount AND shipping_discount <= shipping_total"
            " AND shipping_discount <= discount_total",
            name="shipping_discount_within_shipping",
        ),
        CheckConstraint(
            "0 <= shipping_tax AND shipping_tax <= tax_total", name="shipping_tax_within_tax"
        ),
        CheckConstraint(
            "subtotal >= 0 AND discount_total >= 0 AND shipping_total >= 0"
            " AND tax_total >= 0 AND total >= 0",
            name="totals_not_negative",
        ),
        Index("ix_orders_user_id_placed_at_id", "user_id", "placed_at", "id"),
        Index("ix_orders_placed_at_id", "placed_at", "id"),
        Index("ix_orders_status_placed_at_id", "status", "placed_at", "id"),
        partial_index("ix_orders_outdated_lookup_words", "id", where=OUTDATED_WORDS),
        # Read by app.services.orders.guest_limits with every guest's order.
        *(
            partial_index(
                f"ix_orders_open_guest_{holder}",
                *(f"guest_{holder}_hash", "guest_units"),
                where=OPEN.format(holder),
            )
            for holder in ("network", "email")
        ),
    )

    number: Mapped[str] = mapped_column(String(20), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    guest_token_hash: Mapped[str | None] = mapped_column(String(64))
    # Of the token in the links of mails to a guest: see app.services.orders.order_links.
    link_token_hash: Mapped[str | None] = mapped_column(String(64))
    # Of a guest's order, as long as it is pending: keyed hashes of the network that it came from and
    # of its email address, and its largest quantity of one article.
    guest_network_hash: Mapped[str | None] = mapped_column(String(64))
    guest_email_hash: Mapped[str | None] = mapped_column(String(64))
    guest_units: Mapped[int | None]
    status: Mapped[OrderStatus] = mapped_column(String(20), default="pending")
    currency: Mapped[str] = mapped_column(String(3))
    subtotal: Mapped[int]
    discount_total: Mapped[int] = mapped_column(default=0)
    shipping_total: Mapped[int] = mapped_column(default=0)
    tax_total: Mapped[int] = mapped_column(default=0)
    total: Mapped[int]
    tax_included: Mapped[bool] = mapped_column(default=True, server_default=true())
    tax_treatment: Mapped[TaxTreatment] = mapped_column(
        String(20), default="standard", server_default="standard"
    )
    # The method as it was; it may be gone.
    shipping_method_id: Mapped[int | None]
    shipping_method_name: Mapped[str | None] = mapped_column(String(100))
    # The shares of shipping in `discount_total` and `tax_total`.
    shipping_discount: Mapped[int] = mapped_column(default=0, server_default="0")
    shipping_tax: Mapped[int] = mapped_column(default=0, server_default="0")
    # Personal data, erased when the customer deletes the account.
    email: Mapped[str | None] = mapped_column(String(254))
    shipping_address: Mapped[dict[str, str] | None]
    billing_address: Mapped[dict[str, str] | None]
    vat_id: Mapped[str | None] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(Text, default="", server_default="")
    # The words by which staff find it, of `order_words.words_of`: personal data, too.
    lookup_words: Mapped[str | None] = mapped_column(Text)
    placed_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)

    lines: Mapped[list["OrderLine"]] = relationship(lazy="raise", order_by="OrderLine.id")
    events: Mapped[list["OrderEvent"]] = relationship(lazy="raise", order_by="OrderEvent.id")
    discounts: Mapped[list["OrderDiscount"]] = relationship(
        lazy="raise", order_by="OrderDiscount.id"
    )
    taxes: Mapped[list["OrderTax"]] = relationship(lazy="raise", order_by="OrderTax.id")

    @property
    def shipping_method(self) -> ShippingMethodName | None:
        """How it is shipped."""
        return method_name(self.shipping_method_id, self.shipping_method_name)

    @property
    def billed_to(self) -> dict[str, str] | None:
        """The billing address: the shipping address, unless another was given."""
        return self.billing_address or self.shipping_address

    def move_to(self, target: OrderStatus) -> None:
        """Change status, or raise IllegalTransition."""
        check_transition(self.status, target)
        self.status = target
        self.guest_network_hash = self.guest_email_hash = self.guest_units = None


class OrderLine(Base):
    """One article of an order, with its name and price on the day of the order."""

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("unit_price >= 0", name="unit_price_not_negative"),
        CheckConstraint("line_total = unit_price * quantity", name="line_total_adds_up"),
        CheckConstraint(
            "0 <= discount_total AND discount_total <= line_total", name="discount_within_line"
        ),
        CheckConstraint("tax_total >= 0", name="tax_not_negative"),
        UniqueConstraint("order_id", "variant_id"),
        Index("ix_order_lines_sku", "sku"),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    product_id: Mapped[int] = mapped_column(
        ForeignKey("products.id", ondelete="RESTRICT"), index=True
    )
    variant_id: Mapped[int] = mapped_column(
        ForeignKey("variants.id", ondelete="RESTRICT"), index=True
    )
    sku: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    options: Mapped[dict[str, str]] = mapped_column(default=dict)
    unit_price: Mapped[int]
    quantity: Mapped[int]
    line_total: Mapped[int]
    discount_total: Mapped[int] = mapped_column(default=0, server_default="0")
    tax_total: Mapped[int] = mapped_column(default=0, server_default="0")


class OrderDiscount(Base):
    """What a promotion, or the relief from tax, took off an order."""

    __tablename__ = "order_discounts"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('percentage', 'fixed_amount', 'free_shipping', 'buy_x_get_y', 'tax_relief')",
            name="kind_known",
        ),
        CheckConstraint("amount > 0", name="amount_positive"),
        UniqueConstraint("order_id", "promotion_id"),
        Index("ix_order_discounts_promotion_id", "promotion_id"),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    # The promotion as it was; it may be gone. Null for the relief from tax.
    promotion_id: Mapped[int | None]
    name: Mapped[str] = mapped_column(String(200))
    code: Mapped[str | None] = mapped_column(String(50))
    kind: Mapped[DiscountKind] = mapped_column(String(20))
    amount: Mapped[int]


class OrderTax(Base):
    """A tax of an order, at a rate in thousandths of a percent; `taxable` is net."""

    __tablename__ = "order_taxes"
    __table_args__ = (
        CheckConstraint("rate > 0 AND taxable >= 0 AND amount > 0", name="figures_positive"),
        UniqueConstraint("order_id", "name", "rate"),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    rate: Mapped[int]
    taxable: Mapped[int]
    amount: Mapped[int]


class OrderEvent(Base):
    """One step in an order's history."""

    __tablename__ = "order_events"
    __table_args__ = (
        CheckConstraint("done_by IN ('customer', 'staff', 'system')", name="done_by_known"),
        Index("ix_order_events_order_id_id", "order_id", "id"),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    status: Mapped[OrderStatus] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(default=utc_now)
    done_by: Mapped[str] = mapped_column(String(10))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(Text, default="", server_default="")


class IdempotencyKey(Base):
    """A request and its stored answer, which is replayed for 24 hours. The answer of an order is its
    JSON, on the shop's pages its number alone; the answer of a staff form is an id; other answers are
    written by `idempotency.StoredAnswer`."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("scope", "key"),)

    # "user:7"; or "cart:", "order:" or "email:" and the hash of a guest's token or address.
    scope: Mapped[str] = mapped_column(String(80))
    # An order's key as it was sent; for other requests a hash of their path and key.
    key: Mapped[str] = mapped_column(String(255))
    request_hash: Mapped[str] = mapped_column(String(64))
    order_id: Mapped[int | None] = mapped_column(
        ForeignKey("orders.id", ondelete="CASCADE"), index=True
    )
    # Null only inside the transaction that carries the request out.
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
