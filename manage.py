"""Entry for `flask` (FLASK_APP=manage.py) and for gunicorn (manage:app)."""

import sys

from app import create_app
from app.cli.upkeep import report_unreadable
from app.config import ConfigurationError

examined = sys.argv[1:2] == ["doctor"]
try:
    app = create_app(strict=not examined)
except ConfigurationError as error:
    if not examined:
        sys.exit(f"ShopSwift cannot start: {error}")
    report_unreadable(error, as_json="--json" in sys.argv)
    sys.exit(1)
