"""VAT ids: their form and check digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import vat_ids
from app.domain.vat_ids import NotAVatId


@pytest.mark.parametrize(
    ("text", "vat_id", "country"),
    [
        ("DE136695976", "DE136695976", "DE"),
        (" de 136 695-976 ", "DE136695976", "DE"),
        ("EL094259216", "EL094259216", "GR"),
        ("GR094259216", "EL094259216", "GR"),
        ("BE697449992", "BE0697449992", "BE"),
        ("ATU57194903", "ATU57194903", "AT"),
        ("NL004495445B01", "NL004495445B01", "NL"),
        ("IE6433435F", "IE6433435F", "IE"),
        ("XI980780684", "XI980780684", "GB"),
        ("GB 980 7806 84", "GB980780684", "GB"),
        ("GBGD001", "GBGD001", "GB"),
        ("CHE-107.787.577 MWST", "CHE107787577MWST", "CH"),
        ("NO995525828MVA", "NO995525828MVA", "NO"),
    ],
)
def test_an_id_is_stored_in_its_usual_spelling(text, vat_id, country):
    assert vat_ids.clean(text) == vat_id
    assert vat_ids.country_of(vat_id) == country
    assert vat_ids.clean(vat_id) == vat_id


@pytest.mark.parametrize(
    "text",
    [
        "", "DE", "DE136695977", "DE13669597", "136695976", "FR136695976", "GB980780685", "EU372022452",
        "US123456789", "EL094259217", "NO995525829MVA", "CHE107787578MWST", "DE１３６６９５９７６", "D" * 90,
    ],
)  # fmt: skip
def test_all_else_is_refused(text):
    with pytest.raises(NotAVatId):
        vat_ids.clean(text)


PREFIXES = st.sampled_from([*vat_ids.COUNTRY_OF_PREFIX, "EU", "IM", "US"])


@given(st.builds(str.__add__, PREFIXES, st.text("0123456789ABCDEU+*", max_size=20)) | st.text())
def test_no_text_does_harm(text):
    try:
        vat_id = vat_ids.clean(text)
    except NotAVatId:
        return
    assert len(vat_id) <= vat_ids.MAX_LENGTH
    assert vat_ids.clean(vat_id) == vat_id
