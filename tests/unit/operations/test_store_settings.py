"""The settings of the shop as a value."""

from dataclasses import replace

import pytest

from app.domain.countries import country_name
from app.domain.store_settings import REQUIRED, StoreAddress, StoreSettings

NEW = StoreSettings(name="Osier", currency="EUR", locale="de_DE", payment_methods=())
ADDRESS = StoreAddress(line1="Weidenweg 4", postal_code="10249", city="Berlin")


def test_a_new_shop_sells_under_its_name_and_lacks_what_mail_and_invoices_need():
    assert NEW.seller == "Osier"
    assert NEW.missing == REQUIRED
    assert NEW.address_lines == ()


def test_the_seller_is_the_legal_name():
    named = replace(NEW, legal_name="Osier GmbH")

    assert named.seller == "Osier GmbH"
    assert "legal_name" not in named.missing


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        (ADDRESS, ("Weidenweg 4", "10249 Berlin", "Deutschland")),
        (
            replace(ADDRESS, name="c/o Lea Baum", line2="Hof 2", region="BE", postal_code=""),
            ("c/o Lea Baum", "Weidenweg 4", "Hof 2", "Berlin", "BE", "Deutschland"),
        ),
        (None, ("Deutschland",)),
    ],
)
def test_the_lines_of_the_address_end_with_the_country_in_the_stores_language(address, lines):
    assert replace(NEW, country="DE", address=address).address_lines == lines


def test_without_a_country_the_address_has_no_line_for_it():
    assert replace(NEW, address=ADDRESS).address_lines == ("Weidenweg 4", "10249 Berlin")


def test_a_country_without_a_name_is_named_by_its_code():
    assert country_name("QQ", "en_US") == "QQ"
