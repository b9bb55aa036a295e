"""Shipping zones and methods."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint, false, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base, Json, partial_index
from app.models.timestamps import Timestamped


class ShippingZone(Timestamped, Base):
    """Places that are shipped to by the same methods, or the rest of the world."""

    __tablename__ = "shipping_zones"
    __table_args__ = (
        partial_index(
            "uq_shipping_zones_rest_of_world", "rest_of_world", where="rest_of_world", unique=True
        ),
    )

    name: Mapped[str] = mapped_column(String(100))
    rest_of_world: Mapped[bool] = mapped_column(default=False, server_default=false())

    places: Mapped[list["ShippingPlace"]] = relationship(
        lazy="raise",
        order_by="(ShippingPlace.country, ShippingPlace.region)",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class ShippingPlace(Base):
    """A country, or one of its regions, in the one zone that it belongs to."""

    __tablename__ = "shipping_places"
    __table_args__ = (UniqueConstraint("country", "region"),)

    zone_id: Mapped[int] = mapped_column(
        ForeignKey("shipping_zones.id", ondelete="CASCADE"), index=True
    )
    country: Mapped[str] = mapped_column(String(2))
    # A code of ISO 3166-2 without the country, in capitals; empty for the whole country.
    region: Mapped[str] = mapped_column(String(10), default="", server_default="")


class ShippingMethod(Timestamped, Base):
    """A way to ship to a zone, with its table of prices."""

    __tablename__ = "shipping_methods"
    __table_args__ = (
        CheckConstraint("basis IN ('flat', 'subtotal', 'weight')", name="basis_known"),
        CheckConstraint("free_from >= 0", name="free_from_not_negative"),
        CheckConstraint("0 <= min_days AND min_days <= max_days", name="days_in_order"),
    )

    zone_id: Mapped[int] = mapped_column(
        ForeignKey("shipping_zones.id", ondelete="RESTRICT"), index=True
    )
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text, default="", server_default="")
    basis: Mapped[str] = mapped_column(String(10), default="flat", server_default="flat")
    # [{"from": 0, "price": 495, "until": null}], by `from`: minor units, or grams where the basis is
    # the weight.
    rates: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    free_from: Mapped[int | None]
    tax_class: Mapped[str] = mapped_column(
        String(50), default="standard", server_default="standard"
    )
    min_days: Mapped[int | None]
    max_days: Mapped[int | None]
    position: Mapped[int] = mapped_column(default=0, server_default="0")
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
