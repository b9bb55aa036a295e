"""Categories, products, their variants, and the ledger of their stock."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base, Json, partial_index
from app.domain.catalogue.images import StoredImage
from app.domain.catalogue.listing import SEARCH_KEYS_MARK, Offer, listing_columns
from app.domain.catalogue.product_input import Option
from app.domain.clock import utc_now
from app.models.timestamps import Timestamped

UNDELETED = "deleted_at IS NULL"
ACTIVE = "deleted_at IS NULL AND is_active"
OUTDATED_SEARCH_KEYS = f"substr(search_title, 1, {len(SEARCH_KEYS_MARK)}) <> '{SEARCH_KEYS_MARK}'"
"""The products whose columns for search another release wrote."""


class Category(Timestamped, Base):
    """A node of the category tree."""

    __tablename__ = "categories"
    __table_args__ = (CheckConstraint("parent_id != id", name="not_its_own_parent"),)

    name: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(120), unique=True)
    description: Mapped[str] = mapped_column(Text, default="", server_default="")
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("categories.id", ondelete="RESTRICT"), index=True
    )
    position: Mapped[int] = mapped_column(default=0, server_default="0")
    # Active products directly in it. Triggers on `products` write it, this program never does.
    offered: Mapped[int] = mapped_column(default=0, server_default="0")

    @property
    def version(self) -> str:
        """A hash of what edits can change. Products that are added to the category do not change it."""
        fields = (self.name, self.slug, self.description, self.parent_id, self.position)
        return hashlib.blake2b(repr(fields).encode(), digest_size=12).hexdigest()


class Product(Timestamped, Base):
    """A product with one or more variants."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price >= 0", name="price_not_negative"),
        CheckConstraint("compare_at_price >= 0", name="compare_at_price_not_negative"),
        partial_index("uq_products_slug", "slug", where=UNDELETED, unique=True),
        # One index for each order of lists, of the shop or of a category, ties by id. With
        # `is_active`, lists find the ids of active products without reading the table.
        *(
            partial_index(f"ix_products_{'_'.join(columns)}", *columns, where=UNDELETED)
            for columns in (
                ("created_at", "id", "is_active"),
                ("price", "id", "is_active"),
                ("name_key", "id", "is_active"),
                ("category_id", "created_at", "id", "is_active"),
                ("category_id", "price", "id", "is_active"),
            )
        ),
        Index("ix_products_category_id", "category_id"),
        partial_index("ix_products_outdated_search_keys", "id", where=OUTDATED_SEARCH_KEYS),
    )

    name: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text, default="", server_default="")
    category_id: Mapped[int | None] = mapped_column(
        ForeignKey("categories.id", ondelete="RESTRICT")
    )
    compare_at_price: Mapped[int | None]
    tax_class: Mapped[str] = mapped_column(
        String(50), default="standard", server_default="standard"
    )
    requires_shipping: Mapped[bool] = mapped_column(default=True, server_default=true())
    # [{"name": "Size", "values": ["S", "M"]}], in the order in which they are shown.
    options: Mapped[list[Option]] = mapped_column(Json, default=list, server_default="[]")
    # [{"id": …, "alt": "A red mug", "width": 1280, "height": 960}], the first is shown in lists.
    images: Mapped[list[StoredImage]] = mapped_column(Json, default=list, server_default="[]")
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    deleted_at: Mapped[datetime | None]

    # Set by `derive` at every change, for sorting, filtering and search. "C" compares bytes, as
    # SQLite does. `price` is the lowest of what is in stock; triggers on `variants` also write it,
    # where a variant sells out or is in stock again.
    price: Mapped[int] = mapped_column(default=0)
    name_key: Mapped[str] = mapped_column(
        String(200).with_variant(String(200, collation="C"), "postgresql")
    )
    search_title: Mapped[str] = mapped_column(Text, default="", server_default="")
    search_body: Mapped[str] = mapped_column(Text, default="", server_default="")

    category: Mapped[Category | None] = relationship(lazy="raise")
    variants: Mapped[list["Variant"]] = relationship(
        lazy="raise", back_populates="product", order_by="(Variant.position, Variant.id)"
    )

    def derive(self, variants: Sequence["Variant"]) -> None:
        """Set the columns that lists sort, filter and search by: `ListingColumns`."""
        offers = [
            Offer(variant.sku, variant.price, variant.is_active, variant.available)
            for variant in variants
        ]
        columns = listing_columns(self.name, self.description, offers)
        for column, value in columns._asdict().items():
            setattr(self, column, value)

    @property
    def active_variants(self) -> list["Variant"]:
        """The variants that can be bought."""
        return [variant for variant in self.variants if variant.is_active]

    @property
    def lowest_price(self) -> int:
        """The lowest price of an active variant, in stock or not."""
        return min(variant.price for variant in self.active_variants or self.variants)

    @property
    def stock(self) -> int:
        """Units that can be sold now, over all active variants."""
        return sum(variant.available for variant in self.active_variants)


class Variant(Base):
    """A variant with its own SKU, price and stock. A simple product has just one."""

    __tablename__ = "variants"
    __table_args__ = (
        CheckConstraint("price >= 0", name="price_not_negative"),
        CheckConstraint("0 <= allocated AND allocated <= on_hand", name="allocated_within_on_hand"),
        CheckConstraint("weight >= 0", name="weight_not_negative"),
        partial_index("uq_variants_sku", "sku", where=UNDELETED, unique=True),
        partial_index(
            "uq_variants_product_id_options_key",
            *("product_id", "options_key"),
            where=ACTIVE,
            unique=True,
        ),
        Index("ix_variants_product_id", "product_id"),
    )

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="RESTRICT"))
    sku: Mapped[str] = mapped_column(String(64))
    # {"Size": "M"}; and the same as canonical JSON, for the unique index.
    options: Mapped[dict[str, str]] = mapped_column(default=dict, server_default="{}")
    options_key: Mapped[str] = mapped_column(Text, default="{}", server_default="{}")
    price: Mapped[int]
    on_hand: Mapped[int] = mapped_column(default=0, server_default="0")
    allocated: Mapped[int] = mapped_column(default=0, server_default="0")
    # In grams.
    weight: Mapped[int] = mapped_column(default=0, server_default="0")
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    position: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    deleted_at: Mapped[datetime | None]

    product: Mapped[Product] = relationship(lazy="raise", back_populates="variants")

    @property
    def available(self) -> int:
        """Units that can be sold now: on hand less allocated."""
        return self.on_hand - self.allocated


ERASED_REASON = "erased"
"""Replaces the reason of a stock movement that names a person, when that person is erased."""


class StockMovement(Base):
    """One change of a variant's stock. The ledger only grows, and sums to the variant's figures.

    Triggers refuse to change or delete a row. The one exception is a reason that staff wrote,
    which may become ERASED_REASON (migration 0014).
    """

    __tablename__ = "stock_movements"
    __table_args__ = (
        CheckConstraint("on_hand_delta != 0 OR allocated_delta != 0", name="moves_something"),
        Index("ix_stock_movements_variant_id_id", "variant_id", "id"),
    )

    variant_id: Mapped[int] = mapped_column(ForeignKey("variants.id", ondelete="RESTRICT"))
    on_hand_delta: Mapped[int] = mapped_column(default=0)
    allocated_delta: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(String(200))
    order_id: Mapped[int | None] = mapped_column(
        ForeignKey("orders.id", ondelete="RESTRICT"), index=True
    )
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(default=utc_now)
