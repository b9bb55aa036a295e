"""VAT ids: their form and check digits. Whether an id is registered is not asked anywhere."""

import re

from stdnum.ch import vat as swiss
from stdnum.eu import vat as european
from stdnum.exceptions import ValidationError
from stdnum.gb import vat as british
from stdnum.no import mva as norwegian

MAX_LENGTH = 20
COUNTRY_OF_PREFIX = {
    **{code.upper(): code.upper() for code in european.MEMBER_STATES},
    "EL": "GR",
    "XI": "GB",  # Northern Ireland
    "GB": "GB",
    "CH": "CH",
    "NO": "NO",
}
"""The country of each prefix whose ids can be checked."""
_SEPARATORS = re.compile(r"[\s./-]+")
_ID = re.compile(r"[A-Z]{2}[0-9A-Z+*]{2,18}")
_OUTSIDE_EU = {"GB": british, "CH": swiss, "NO": norwegian}


class NotAVatId(ValueError):
    """The text is no VAT id; the message says why."""


def clean(text: str) -> str:
    """A VAT id in its usual spelling: its country's prefix in capitals, without separators.

    Greece is `EL`. Ids of the EU, of Northern Ireland (`XI`), Great Britain, Switzerland and Norway can
    be checked.

    Raises:
        NotAVatId: no such country, or the form or the check digits are wrong.
    """
    compact = _SEPARATORS.sub("", text[: 3 * MAX_LENGTH]).upper()
    if not _ID.fullmatch(compact):
        raise NotAVatId("Enter the id with its country's letters, like DE136695976.")
    prefix = "EL" if compact.startswith("GR") else compact[:2]
    if prefix not in COUNTRY_OF_PREFIX:
        raise NotAVatId("Ids of the EU, the United Kingdom, Switzerland and Norway can be checked.")
    try:
        number: str = _OUTSIDE_EU.get(prefix, european).validate(prefix + compact[2:])
    except ValidationError:
        raise NotAVatId(
            "This is no VAT id of that country: compare each letter and digit."
        ) from None
    return number if number.startswith(prefix) else prefix + number


def country_of(vat_id: str) -> str:
    """The ISO 3166-1 code of the country of a VAT id that `clean` has returned."""
    return COUNTRY_OF_PREFIX[vat_id[:2]]
