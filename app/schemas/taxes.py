"""The JSON of tax rates."""

from typing import Any

from marshmallow import ValidationError, post_load
from marshmallow import fields as ma

from app.domain.pricing.places import clean_region
from app.schemas.base import Body, Flag, Name, Percent, ShopSchema, Text
from app.schemas.users import Country

REGION = "A code of ISO 3166-2, with or without the country; empty for the whole country."


class TaxClass(Text):
    """A class of goods with rates of their own, in lower case."""

    def __init__(self, **kwargs: Any) -> None:
        description = "`standard`, `zero` (never taxed), or a word of the shop's own."
        super().__init__(50, 1, metadata={"description": description}, **kwargs)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> str:
        return super()._deserialize(value, attr, data, **kwargs).casefold()[:50]


class TaxRateSchema(ShopSchema):
    """A tax of a country or a region."""

    id = ma.Integer(dump_only=True)
    name = Text(100, 1, required=True)
    country = Country(required=True)
    region = Text(10, metadata={"description": REGION})
    tax_class = TaxClass()
    rate = Percent(required=True)
    is_active = Flag()

    @post_load
    def _clean_region(self, data: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        if "region" in data:
            data["region"] = region_in(data.get("country", ""), data["region"], "region")
        return data


def region_in(country: str, text: str, field: str) -> str:
    """The code of a region without its country.

    Raises:
        ValidationError: it is no code, or one of another country.
    """
    region = clean_region(country, text)
    if region is None:
        raise ValidationError({field: ["A code of ISO 3166-2 in this country, such as QC."]})
    return region
