"""The Flask extensions, unbound: `create_app` binds them."""

from flask import g
from flask_bcrypt import Bcrypt
from flask_caching import Cache
from flask_jwt_extended import JWTManager
from flask_limiter import Limiter
from flask_migrate import Migrate
from flask_smorest import Api
from flask_sqlalchemy import SQLAlchemy


class ShopApi(Api):
    """flask-smorest without its app-wide error handlers: the shop has one table of its own."""

    DEFAULT_ERROR_RESPONSE_NAME = None  # every refusal of an operation is named; no others are met

    def _register_error_handlers(self) -> None:
        """Leave errors to `app.utils.error_handlers`."""

    def _register_responses(self) -> None:
        """Leave refusals to `app.api.openapi`."""


# `expire_on_commit=False`: what an answer needs is loaded before the commit, and stays readable.
db = SQLAlchemy(session_options={"expire_on_commit": False})
migrate = Migrate()
jwt = JWTManager()
bcrypt = Bcrypt()
cache = Cache()
limiter = Limiter(key_func=lambda: g.rate_limit_key)  # the default limit: app/utils/rate_limits.py
api = ShopApi()
