"""Lists in bodies are measured before their items are read."""

import pkgutil
from importlib import import_module

import pytest
from marshmallow import ValidationError
from marshmallow import fields as ma
from marshmallow.validate import Length

import app.schemas
from app.schemas.base import Items, ShopSchema

for module in pkgutil.iter_modules(app.schemas.__path__, "app.schemas."):
    import_module(module.name)


def subclasses(schema):
    for child in schema.__subclasses__():
        yield child
        yield from subclasses(child)


def bounded(schema):
    """The lists of a schema that its bodies may have, and that have a greatest length."""
    for field in schema().load_fields.values():
        limits = [v.max for v in field.validators if isinstance(v, Length) and v.max is not None]
        if isinstance(field, ma.List) and limits:
            yield field, min(limits)


LISTS = [(schema, *found) for schema in subclasses(ShopSchema) for found in bounded(schema)]


def test_the_lists_are_found():
    names = {field.name for _schema, field, _most in LISTS}
    assert names >= {"places", "rates", "product_ids", "variants", "images", "options", "types"}


@pytest.mark.parametrize(
    ("schema", "field", "most"), LISTS, ids=lambda value: getattr(value, "name", "")
)
def test_nothing_is_read_of_a_list_that_is_too_long(schema, field, most):
    read = []
    field.inner.deserialize = lambda value, *_args, **_kwargs: read.append(value)

    with pytest.raises(ValidationError, match=r"(?i)length"):
        field.deserialize([None] * (most + 1))

    assert isinstance(field, Items)
    assert read == []
