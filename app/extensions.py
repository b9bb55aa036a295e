"""The Flask extensions, unbound: `create_app` binds them."""

from typing import Any

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

    DEFAULT_ERROR_RESPONSE_NAME = None  # the shop documents each refusal of an operation itself

    def _register_error_handlers(self) -> None:
        """Leave errors to `app.utils.error_handlers`."""

    def _register_responses(self) -> None:
        """Leave refusals to `app.api.openapi.refusals`."""


class ShopSession(Session):
    """A session whose reads in a request run without a transaction around each of them.

    On PostgreSQL a single statement sees the same as in a transaction at READ COMMITTED; to begin
    and end one takes two more round trips. Writes run in a transaction of `app.db.unit_of_work`.
    """

    def get_bind(self, *_arguments: object, **_options: object) -> Engine:
        """The primary's engine; in `app.db.database_roles.as_owner` the owner's, if there is one."""
        if self.info.get("as_owner"):
            return db.engines.get("owner", db.engine)
        if has_request_context() and not self.info.get("in_transaction"):
            engine: Engine = current_app.extensions["read_engine"]
            return engine
        return db.engine


class ShopBcrypt(Bcrypt):
    """Flask-Bcrypt with the current app's cost. Its own is that of the app which was created last."""

    @property
    def cost(self) -> int:
        """BCRYPT_LOG_ROUNDS: a hash takes 2^cost rounds."""
        return int(current_app.config["BCRYPT_LOG_ROUNDS"])

    def generate_password_hash(self, password: str, rounds: int | None = None) -> bytes:
        """The hash of a password."""
        hashed: bytes = super().generate_password_hash(password, rounds or self.cost)
        return hashed


# `expire_on_commit=False`: an answer's rows are loaded before the commit and stay readable after it.
db = SQLAlchemy(session_options={"expire_on_commit": False, "class_": ShopSession})
migrate = Migrate()
jwt = JWTManager()
bcrypt = ShopBcrypt()
cache = Cache()
# Only its storage is used: app/web/limits/rate_limits.py counts and checks the limits.
limiter = Limiter(key_func=lambda: g.rate_limit_key)
api = ShopApi()


def extension(name: str) -> Any:
    """The current app's extension of this name."""
    return current_app.extensions[name]
