"""Promotions, their codes, and the orders that used them."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    false,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base, partial_index
from app.domain.clock import utc_now
from app.domain.pricing.model import PromotionKind
from app.models.timestamps import Timestamped

MAX_CODE = 50


class Promotion(Timestamped, Base):
    """Something that takes money off orders. It is deleted by `deleted_at`: orders go on naming it.

    `uses` is counted where there is a limit, and only there, so that orders wait for one another
    only then.
    """

    __tablename__ = "promotions"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('percentage', 'fixed_amount', 'free_shipping', 'buy_x_get_y')",
            name="kind_known",
        ),
        CheckConstraint(
            "value >= 0 AND min_subtotal >= 0 AND min_quantity >= 0 AND buy_quantity >= 0"
            " AND get_quantity >= 0 AND max_sets >= 1",
            name="figures_not_negative",
        ),
        CheckConstraint(
            "kind NOT IN ('percentage', 'buy_x_get_y') OR value <= 100000",
            name="percent_at_most_all",
        ),
        CheckConstraint(
            "kind != 'buy_x_get_y' OR (buy_quantity >= 1 AND get_quantity >= 1)",
            name="sets_have_units",
        ),
        CheckConstraint("starts_at < ends_at", name="starts_before_it_ends"),
        CheckConstraint("limit_total >= 1 AND limit_per_customer >= 1", name="limits_positive"),
        CheckConstraint("0 <= uses AND uses <= limit_total", name="uses_within_limit"),
        partial_index(
            "ix_promotions_about_everything",
            "id",
            where="deleted_at IS NULL AND is_active AND NOT needs_code AND NOT names_articles",
        ),
        partial_index(
            "ix_promotions_automatic",
            "id",
            where="deleted_at IS NULL AND is_active AND NOT needs_code",
        ),
    )

    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[PromotionKind] = mapped_column(String(20))
    # Thousandths of a percent, or minor units of a fixed amount.
    value: Mapped[int] = mapped_column(default=0, server_default="0")
    min_subtotal: Mapped[int] = mapped_column(default=0, server_default="0")
    min_quantity: Mapped[int] = mapped_column(default=0, server_default="0")
    buy_quantity: Mapped[int] = mapped_column(default=0, server_default="0")
    get_quantity: Mapped[int] = mapped_column(default=0, server_default="0")
    max_sets: Mapped[int | None]
    # Whether it has articles to be bought, also where all of them are deleted.
    names_articles: Mapped[bool] = mapped_column(default=False, server_default=false())
    needs_code: Mapped[bool] = mapped_column(default=False, server_default=false())
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    exclusive: Mapped[bool] = mapped_column(default=False, server_default=false())
    limit_total: Mapped[int | None]
    limit_per_customer: Mapped[int | None]
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    uses: Mapped[int] = mapped_column(default=0, server_default="0")
    deleted_at: Mapped[datetime | None]

    articles: Mapped[list["PromotionArticle"]] = relationship(
        lazy="raise",
        order_by="PromotionArticle.id",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class PromotionArticle(Base):
    """A product, or a category with its descendants, that a promotion names: to be bought (`buy`), or to
    be gained (`get`). One that is deleted leaves its row behind, so that the promotion does not become one
    about all articles."""

    __tablename__ = "promotion_articles"
    __table_args__ = (
        CheckConstraint("part IN ('buy', 'get')", name="part_known"),
        CheckConstraint("product_id IS NULL OR category_id IS NULL", name="one_article"),
        Index("ix_promotion_articles_promotion_id", "promotion_id"),
    )

    promotion_id: Mapped[int] = mapped_column(ForeignKey("promotions.id", ondelete="CASCADE"))
    part: Mapped[str] = mapped_column(String(3))
    product_id: Mapped[int | None] = mapped_column(
        ForeignKey("products.id", ondelete="SET NULL"), index=True
    )
    category_id: Mapped[int | None] = mapped_column(
        ForeignKey("categories.id", ondelete="SET NULL"), index=True
    )


class PromotionCode(Base):
    """A code of a promotion. `code_key` is how codes are compared."""

    __tablename__ = "promotion_codes"
    __table_args__ = (
        CheckConstraint("limit_total >= 1", name="limit_positive"),
        CheckConstraint("0 <= uses AND uses <= limit_total", name="uses_within_limit"),
        Index("ix_promotion_codes_promotion_id_id", "promotion_id", "id"),
    )

    promotion_id: Mapped[int] = mapped_column(ForeignKey("promotions.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(MAX_CODE))
    code_key: Mapped[str] = mapped_column(String(MAX_CODE), unique=True)
    limit_total: Mapped[int | None]
    uses: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class CartCode(Base):
    """A code in a cart. One that is withdrawn stays there until the buyer removes it."""

    __tablename__ = "cart_codes"
    __table_args__ = (UniqueConstraint("cart_id", "code_key"),)

    cart_id: Mapped[int] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(MAX_CODE))
    code_key: Mapped[str] = mapped_column(String(MAX_CODE))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Redemption(Base):
    """The use of a promotion by an order, until the whole order is cancelled.

    Where uses are limited for each customer, `user_use` and `email_use` number those of an account and of
    an email address, which is stored as a keyed hash.
    """

    __tablename__ = "redemptions"
    __table_args__ = (
        UniqueConstraint("promotion_id", "order_id"),
        UniqueConstraint("promotion_id", "user_id", "user_use"),
        UniqueConstraint("promotion_id", "email_hash", "email_use"),
        CheckConstraint("user_use >= 1 AND email_use >= 1", name="uses_positive"),
        Index("ix_redemptions_order_id", "order_id"),
    )

    promotion_id: Mapped[int] = mapped_column(ForeignKey("promotions.id", ondelete="RESTRICT"))
    code_id: Mapped[int | None] = mapped_column(
        ForeignKey("promotion_codes.id", ondelete="SET NULL"), index=True
    )
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    user_use: Mapped[int | None]
    email_hash: Mapped[str | None] = mapped_column(String(64))
    email_use: Mapped[int | None]
