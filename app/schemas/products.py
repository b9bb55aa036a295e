"""Products as JSON."""

from typing import Any

from marshmallow import ValidationError, validates_schema
from marshmallow import fields as ma
from marshmallow.validate import Length, OneOf

from app.domain.catalogue.images import MAX_ALT, MAX_IMAGES, WIDTHS, StoredImage, file_name
from app.domain.catalogue.variant_rules import (
    MAX_OPTIONS,
    MAX_SKU,
    MAX_STOCK,
    MAX_VALUES,
    MAX_VARIANTS,
    MAX_WEIGHT,
    clean_sku,
)
from app.domain.clock import rfc3339
from app.domain.money import to_text
from app.domain.text import NotText
from app.gateways import media
from app.models import Product, Variant
from app.schemas.base import (
    Body,
    Flag,
    Items,
    Money,
    Name,
    Part,
    RowId,
    ShopSchema,
    Slug,
    Text,
    Time,
    Whole,
)
from app.schemas.paging import CursorArgs, list_schema
from app.schemas.taxes import TaxClass
from app.services.catalogue.product_filters import DEFAULT_SORT, FILTERS, Kind, ProductFilter
from app.services.catalogue.product_queries import SORTS
from app.services.catalogue.product_views import ProductView, VariantView


class Sku(Text):
    """A SKU: printable, case-sensitive, 1 to 64 characters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(MAX_SKU, 1, **kwargs)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> str:
        try:
            return clean_sku(super()._deserialize(value, attr, data, **kwargs))
        except NotText as error:
            raise ValidationError(str(error)) from None


class OptionSchema(ShopSchema):
    """An option, such as a size, with its values."""

    name = Text(50, 1, required=True)
    values = Items(Text(100, 1), required=True, validate=Length(1, MAX_VALUES))


class VariantSchema(ShopSchema):
    """A variant with its own SKU, price and stock."""

    id = RowId(
        metadata={"description": "The id of an existing variant; without it, a variant is added."}
    )
    sku = Sku(metadata={"description": "Generated if it is left out."})
    options = ma.Dict(keys=Text(50, 1), values=Text(100, 1))
    price = Money()
    stock = Whole(0, MAX_STOCK, metadata={"description": "Units that can be sold now."})
    in_stock = ma.Boolean(dump_only=True)
    weight = Whole(0, MAX_WEIGHT, metadata={"description": "In grams."})
    is_active = Flag()


class CategoryNameSchema(ShopSchema):
    """The category of a product, in short."""

    id = ma.Integer(dump_only=True)
    name = ma.String(dump_only=True)
    slug = ma.String(dump_only=True)


class ImageSourceSchema(ShopSchema):
    """One of the widths that a picture comes in."""

    url = ma.String(dump_only=True)
    width = ma.Integer(dump_only=True)


class ImageSchema(ShopSchema):
    """A picture of a product, as WebP."""

    id = Text(32, 1, required=True)
    alt = Text(MAX_ALT, metadata={"description": "A text alternative: what the picture shows."})
    url = ma.String(
        dump_only=True, metadata={"description": "The address of the widest of `sources`."}
    )
    width = ma.Integer(dump_only=True)
    height = ma.Integer(dump_only=True)
    sources = ma.List(ma.Nested(ImageSourceSchema), dump_only=True)


class ProductSchema(ShopSchema):
    """Something the shop offers. `sku`, `price`, `stock` and `weight` may be given for one variant
    only."""

    id = ma.Integer(dump_only=True)
    name = Text(200, 1, required=True)
    slug = Slug(metadata={"description": "Derived from the name if it is left out."})
    description = Text(20_000, lines=True)
    category = ma.Nested(CategoryNameSchema, dump_only=True, allow_none=True)
    category_id = RowId(load_only=True, allow_none=True)
    sku = Sku(
        metadata={
            "type": ["string", "null"],
            "x-null": "out",
            "description": "Null in answers if there are several variants.",
        }
    )
    price = Money(
        metadata={"x-choice": "any", "description": "The lowest price of an active variant."}
    )
    from_price = Money(
        dump_only=True,
        metadata={
            "description": "The lowest price of an active variant that is in stock; `price`, if none is."
            " Lists are filtered and sorted by it."
        },
    )
    currency = ma.String(dump_only=True)
    compare_at_price = Money(allow_none=True)
    stock = Whole(0, MAX_STOCK, metadata={"description": "Units that can be sold now."})
    in_stock = ma.Boolean(dump_only=True)
    weight = Whole(
        0,
        MAX_WEIGHT,
        metadata={
            "type": ["integer", "null"],
            "x-null": "out",
            "description": "In grams; null in answers if there are several variants.",
        },
    )
    tax_class = TaxClass()
    requires_shipping = Flag()
    is_active = Flag()
    version = ma.Integer(dump_only=True)
    images = Items(
        Part(ImageSchema),
        validate=Length(0, MAX_IMAGES),
        metadata={
            "x-edit-only": True,
            "description": "The pictures; in an edit those to retain, in this order.",
        },
    )
    options = Items(Part(OptionSchema), validate=Length(0, MAX_OPTIONS))
    variants = Items(
        ma.Nested(VariantSchema),
        validate=Length(1, MAX_VARIANTS),
        metadata={
            "x-choice": "any",
            "description": "In an edit: all variants; those that are left out are deactivated.",
        },
    )
    created_at = Time()
    updated_at = Time()

    # Checks the original body, as a price that is wrong is not missing.
    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def _require_price(
        self, _data: object, body: object, partial: bool | None = None, **_kw: object
    ) -> None:
        if not partial and isinstance(body, dict) and not {"price", "variants"} & body.keys():
            raise ValidationError({"price": ["Missing data for required field."]})

    @validates_schema(skip_on_field_errors=False)
    def _refuse_images(
        self, data: dict[str, object], partial: bool | None = None, **_kw: object
    ) -> None:
        if not partial and "images" in data:
            raise ValidationError(
                {"images": ["A new product has no pictures yet: upload them afterwards."]}
            )


def _argument(definition: ProductFilter) -> ma.Field[Any]:
    metadata = {"description": definition.description} if definition.description else {}
    if definition.kind is Kind.CATEGORY:
        return Text(200, load_default="", metadata=metadata)
    kind = Money if definition.kind is Kind.PRICE else ma.Boolean
    return kind(load_default=None, metadata=metadata)


class OneVariantSchema(VariantSchema):
    """Fields of one variant; those that are left out stay."""

    class Meta(VariantSchema.Meta):
        """The variant is named by the path."""

        exclude = ("id",)


ProductListArgs = CursorArgs.from_dict(
    {
        "q": Text(200, load_default="", metadata={"description": "All words must match."}),
        **{name: _argument(each) for name, each in FILTERS.items() if each.is_argument},
        "sort": ma.String(
            load_default=None,
            validate=OneOf(SORTS),
            metadata={"description": f"{DEFAULT_SORT} when left out; with q, relevance."},
        ),
    },
    name="ProductListArgs",
)
"""The arguments of the list of products."""

ProductListSchema = list_schema(ProductSchema)


def show_product(
    product: Product | ProductView, currency: str, staff: bool = False
) -> dict[str, Any]:
    """A product as `ProductSchema` describes it; only staff see variants that are switched off."""
    active = product.active_variants
    stock = sum(variant.available for variant in active)
    variants = product.variants if staff else active
    # A former price is one only while it is higher (as `ProductQuery.reduced` has it, too).
    is_reduced = (product.compare_at_price or 0) > product.price
    compare_at = product.compare_at_price if is_reduced else None
    return {
        "id": product.id,
        "name": product.name,
        "slug": product.slug,
        "description": product.description,
        "category": _show_category(product),
        "sku": active[0].sku if len(active) == 1 else None,
        "price": to_text(product.lowest_price, currency),
        "from_price": to_text(product.price, currency),
        "currency": currency,
        "compare_at_price": None if compare_at is None else to_text(compare_at, currency),
        "stock": stock,
        "in_stock": stock > 0,
        "weight": active[0].weight if len(active) == 1 else None,
        "tax_class": product.tax_class,
        "requires_shipping": product.requires_shipping,
        "is_active": product.is_active,
        "version": product.version,
        "images": [show_image(image) for image in product.images],
        "options": product.options,
        "variants": [_show_variant(variant, currency) for variant in variants],
        "created_at": rfc3339(product.created_at),
        "updated_at": rfc3339(product.updated_at),
    }


def show_image(image: StoredImage) -> dict[str, object]:
    """A picture as `ImageSchema` describes it."""
    urls = [media.store().url(file_name(image["id"], width)) for width in WIDTHS]
    widths = [min(width, image["width"]) for width in WIDTHS]
    return {
        "id": image["id"],
        "alt": image["alt"],
        "url": urls[-1],
        "width": image["width"],
        "height": image["height"],
        "sources": [{"url": url, "width": w} for url, w in zip(urls, widths, strict=True)],
    }


def _show_category(product: Product | ProductView) -> dict[str, object] | None:
    category = product.category
    if category is None:
        return None
    return {"id": category.id, "name": category.name, "slug": category.slug}


def _show_variant(variant: Variant | VariantView, currency: str) -> dict[str, object]:
    return {
        "id": variant.id,
        "sku": variant.sku,
        "options": variant.options,
        "price": to_text(variant.price, currency),
        "stock": variant.available,
        "in_stock": variant.available > 0,
        "weight": variant.weight,
        "is_active": variant.is_active,
    }
