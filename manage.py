"""Entry for `flask` (FLASK_APP=manage.py) and for gunicorn (manage:app)."""

import sys

from app import create_app
from app.config import ConfigurationError

try:
    app = create_app(strict="doctor" not in sys.argv[1:2])
except ConfigurationError as error:
    sys.exit(f"ShopSwift cannot start: {error}")
