"""Countries and their regions, as rates and zones name them."""

import re

_REGION = re.compile(r"[A-Z0-9]{1,3}")


def clean_region(country: str, text: str) -> str | None:
    """A code of ISO 3166-2 without the country, in capitals: `qc`, or `CA-QC` in Canada, is `QC`. An empty
    text is the whole country; None stands for one that is no such code. Without a `country`, that of the code
    counts."""
    code = text.strip().upper()
    if code[2:3] == "-" and country in ("", code[:2]):
        code = code[3:]
    return code if not code or _REGION.fullmatch(code) else None


def region_of_address(address: dict[str, str]) -> str:
    """The region of an address, as far as its text is a code."""
    return clean_region(address["country"], address.get("region") or "") or ""
