"""Tax rates."""

from sqlalchemy import CheckConstraint, String, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base
from app.models.timestamps import Timestamped


class TaxRate(Timestamped, Base):
    """A tax of a country, or of one of its regions, at a rate in thousandths of a percent."""

    __tablename__ = "tax_rates"
    __table_args__ = (
        UniqueConstraint("country", "region", "tax_class", "name"),
        CheckConstraint("rate BETWEEN 0 AND 1000000", name="rate_in_range"),
    )

    name: Mapped[str] = mapped_column(String(100))
    country: Mapped[str] = mapped_column(String(2))
    # A code of ISO 3166-2 without the country, in capitals; empty for the whole country.
    region: Mapped[str] = mapped_column(String(10), default="", server_default="")
    tax_class: Mapped[str] = mapped_column(
        String(50), default="standard", server_default="standard"
    )
    rate: Mapped[int]
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
