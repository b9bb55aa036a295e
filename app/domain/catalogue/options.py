"""The options of a variant, such as `{"Size": "M", "Colour": "Red"}`."""

import json
from collections.abc import Mapping


def options_key(options: Mapping[str, str]) -> str:
    """The options as canonical JSON, for the unique index on a product's variants."""
    if not options:  # most variants
        return "{}"
    return json.dumps(dict(sorted(options.items())), ensure_ascii=False, separators=(",", ":"))
