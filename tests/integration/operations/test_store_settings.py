"""The shop's settings: what is stored, and what holds until something is."""

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from app.db.unit_of_work import in_transaction
from app.domain.store_settings import StoreAddress
from app.extensions import db
from app.models import Store
from app.services.operations import store_service
from tests.integration.people import inside
from tests.sql import watched


def read(app):
    return inside(app, store_service.settings)


def write(app, **values):
    statement = update(Store).values(**values)
    inside(app, lambda: in_transaction(lambda: db.session.execute(statement)))


def test_a_new_shop_has_what_the_environment_says(app):
    settings = read(app)

    assert (settings.name, settings.currency, settings.locale) == ("ShopSwift", "USD", "en_US")
    assert [method.id for method in settings.payment_methods] == ["prepayment", "invoice"]
    assert (settings.legal_name, settings.email, settings.address) == (None, None, None)
    assert (settings.country, settings.vat_id, settings.prices_include_tax) == (None, None, True)
    days = (settings.prepayment_days, settings.return_days, settings.invoice_days)
    assert (settings.hold_minutes, days) == (30, (7, 30, 14))


def test_what_is_stored_wins_over_the_environment(app):
    write(app, name="Osier", address={"line1": "Weidenweg 4", "city": "Berlin"}, hold_minutes=5)

    settings = read(app)

    assert (settings.name, settings.hold_minutes) == ("Osier", 5)
    assert settings.address == StoreAddress(line1="Weidenweg 4", city="Berlin")


def test_a_shop_whose_row_is_missing_has_settings_too(app):
    inside(app, lambda: in_transaction(lambda: db.session.execute(db.delete(Store))))

    assert read(app).name == "ShopSwift"


def test_settings_are_read_in_one_statement(app):
    statements = []

    with watched(app, lambda statement, _values: statements.append(statement)):
        read(app)

    assert len([one for one in statements if not one.startswith("BEGIN")]) == 1


@pytest.mark.parametrize(
    "values",
    [{"hold_minutes": 0}, {"prepayment_days": 0}, {"return_days": -1}, {"invoice_days": -1}],
)
def test_the_database_refuses_impossible_periods(app, values):
    with pytest.raises(IntegrityError):
        write(app, **values)
