"""The Flask extensions, unbound: `create_app` binds them."""

from typing import Any
from weakref import WeakKeyDictionary

from flask import current_app, g, has_request_context
from flask_bcrypt import Bcrypt
from flask_caching import Cache
from flask_jwt_extended import JWTManager
from flask_limiter import Limiter
from flask_migrate import Migrate
from flask_smorest import Api
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from sqlalchemy import Engine


class ShopApi(Api):
    """flask-smorest without its app-wide error handlers: the shop has one table of its own."""

    DEFAULT_ERROR_RESPONSE_NAME = None  # every refusal of an operation is named; no others are met

    def _register_error_handlers(self) -> None:
        """Leave errors to `app.utils.error_handlers`."""

    def _register_responses(self) -> None:
        """Leave refusals to `app.api.openapi`."""


class ShopSession(Session):
    """The session, which in requests reads without a transaction around each read.

    On PostgreSQL a statement by itself sees the same as in a transaction at READ COMMITTED; to
    begin and end one would take two more round trips. Writes are in `app.db.unit_of_work`'s.
    """

    def get_bind(self, *_what: Any, **_more: Any) -> Engine:
        """The database; there is one. `app.db.database_roles.as_owner` connects as its owner."""
        if self.info.get("as_owner"):
            return db.engines.get("owner", db.engine)
        engine = db.engine
        if has_request_context() and not self.info.get("in_transaction"):
            return _reading(engine)
        return engine


class ShopBcrypt(Bcrypt):
    """Flask-Bcrypt, which tells the cost that it hashes at."""

    @property
    def cost(self) -> int:
        """BCRYPT_LOG_ROUNDS: a hash takes 2^cost rounds."""
        return int(self._log_rounds)


_engines: "WeakKeyDictionary[Engine, Engine]" = WeakKeyDictionary()


def _reading(engine: Engine) -> Engine:
    if engine.dialect.name != "postgresql":
        return engine
    found = _engines.get(engine)
    return found or _engines.setdefault(
        engine,
        engine.execution_options(shop_reads=True),  # see app/db/postgresql.py
    )


# `expire_on_commit=False`: what an answer needs is loaded before the commit, and stays readable.
db = SQLAlchemy(session_options={"expire_on_commit": False, "class_": ShopSession})
migrate = Migrate()
jwt = JWTManager()
bcrypt = ShopBcrypt()
cache = Cache()
# Holds the storage of the rate limits, which app/web/limits/rate_limits.py counts and checks itself.
limiter = Limiter(key_func=lambda: g.rate_limit_key)
api = ShopApi()


def extension(name: str) -> Any:
    """What `create_app` has put under this name into the current app's `extensions`."""
    return current_app.extensions[name]
