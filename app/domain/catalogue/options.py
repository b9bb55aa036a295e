"""The options of a variant, such as `{"Size": "M", "Colour": "Red"}`."""

import json
from collections.abc import Mapping


def options_key(options: Mapping[str, str]) -> str:
    """The options in one spelling, so that the database can tell two variants apart."""
    if not options:  # as of most variants
        return "{}"
    return json.dumps(dict(sorted(options.items())), ensure_ascii=False, separators=(",", ":"))
