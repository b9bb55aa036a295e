"""The settings of the shop: one row."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String, false, true
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class Store(Base):
    """The one row of the shop's settings.

    The currency cannot change once the shop has data. What is null is not set; without a name the
    shop has that of STORE_NAME.
    """

    __tablename__ = "store"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("hold_minutes >= 1", name="hold_minutes_positive"),
        CheckConstraint("prepayment_days >= 1", name="prepayment_days_positive"),
        CheckConstraint("return_days >= 0", name="return_days_not_negative"),
        CheckConstraint("invoice_days >= 0", name="invoice_days_not_negative"),
    )

    currency: Mapped[str] = mapped_column(String(3))
    name: Mapped[str | None] = mapped_column(String(200))
    legal_name: Mapped[str | None] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(254))
    # The fields of `app.domain.store_settings.StoreAddress`.
    address: Mapped[dict[str, str] | None]
    country: Mapped[str | None] = mapped_column(String(2))
    vat_id: Mapped[str | None] = mapped_column(String(20))
    prices_include_tax: Mapped[bool] = mapped_column(default=True, server_default=true())
    hold_minutes: Mapped[int] = mapped_column(default=30, server_default="30")
    prepayment_days: Mapped[int] = mapped_column(default=7, server_default="7")
    return_days: Mapped[int] = mapped_column(default=30, server_default="30")
    invoice_days: Mapped[int] = mapped_column(default=14, server_default="14")
    # STORE_LOW_STOCK, which the triggers of `events` read here.
    low_stock: Mapped[int] = mapped_column(default=5, server_default="5")
    # Whether there ever were any. Triggers set these, so that pricing reads only what may be there.
    has_tax_rates: Mapped[bool] = mapped_column(default=False, server_default=false())
    has_shipping_methods: Mapped[bool] = mapped_column(default=False, server_default=false())
    has_promotions: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Until then staff are not asked for what is missing.
    setup_postponed_until: Mapped[datetime | None]
    # Incremented by every edit.
    version: Mapped[int] = mapped_column(default=1, server_default="1")
