"""Entry for `flask` (FLASK_APP=manage.py) and for gunicorn (manage:app)."""

import gc
import sys

# Nearly everything that is loaded here stays. To look through it for garbage, again and again, takes
# a quarter of the time of a start.
gc.disable()

from app import create_app  # noqa: E402
from app.cli.upkeep import report_unreadable  # noqa: E402
from app.config import ConfigurationError  # noqa: E402

examined = sys.argv[1:2] == ["doctor"]
try:
    app = create_app(strict=not examined)
except ConfigurationError as error:
    if not examined:
        sys.exit(f"ShopSwift cannot start: {error}")
    report_unreadable(error, as_json="--json" in sys.argv)
    sys.exit(1)
gc.enable()
