"""Settings, read from the environment and nowhere else. Each is described in `.env.example`."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from limits import parse_many
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.db.engines import engine_options, owner_options, replica_options
from app.domain.money import is_currency
from app.domain.people import secret_strength
from app.domain.people.guest_limits import GuestLimits

ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT_SECRET = "for-development-only-never-in-production"  # noqa: S105 - refused in production
PLAIN_REDIS = "app.services.cache.shared_cache.PlainRedis"
REDIS_SECONDS = 0.08
"""How long one call to Redis may take: cache and limits together stay below 0.2 s a request."""

_HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*")
# As browsers send it: without a path, and without the scheme's own port (RFC 6454, section 6.2).
_ORIGIN = re.compile(
    r"(https(?!.*:443$)|http(?!.*:80$))://[a-z0-9-]+(\.[a-z0-9-]+)*(:[1-9][0-9]{0,4})?"
)


class ConfigurationError(Exception):
    """The shop cannot start like this; the message is one line for the operator."""


class Config:
    """What all environments share. Attributes in capitals become Flask's configuration."""

    NAME = "development"
    TESTING = False
    DEBUG = False
    DEFAULT_LOG_FORMAT = "text"
    DEFAULT_BCRYPT_ROUNDS = 12
    READY_SECONDS = 1.0
    """For how long /healthz/ready repeats what it found out."""
    DEFAULT_HASHES_AT_ONCE: int | None = None
    DEFAULT_HASHES_WAITING: int | None = None

    JWT_TOKEN_LOCATION = ("headers",)
    JWT_ALGORITHM = "HS256"
    JWT_ENCODE_ISSUER = JWT_DECODE_ISSUER = "shopswift"
    JWT_ENCODE_AUDIENCE = JWT_DECODE_AUDIENCE = "shopswift"
    JWT_ACCESS_COOKIE_NAME = "sign_in"
    # Every form of the pages carries a token, guests' too: see app/pages/csrf.py.
    JWT_COOKIE_CSRF_PROTECT = False
    JWT_COOKIE_SAMESITE = SESSION_COOKIE_SAMESITE = "Lax"
    SESSION_COOKIE_NAME = "visit"
    # Browsers keep secure cookies from plain HTTP, which development speaks.
    JWT_COOKIE_SECURE = SESSION_COOKIE_SECURE = False
    BCRYPT_HANDLE_LONG_PASSWORDS = True
    MAX_BODY_BYTES = 1024 * 1024
    # One more, to tell a chunked body that just fits from one that was cut off.
    MAX_CONTENT_LENGTH = MAX_BODY_BYTES + 1
    MAX_FORM_MEMORY_SIZE = 256 * 1024  # room for the longest text, percent-encoded
    MAX_FORM_PARTS = 200
    MAX_UPLOAD_BYTES = 10 * 1024 * 1024
    CACHE_KEY_PREFIX = "shopswift:"
    RATELIMIT_KEY_PREFIX = "shopswift"
    JWT_ENCODE_NBF = False  # our tokens are good at once, whatever another machine's clock says
    RATELIMIT_HEADERS_ENABLED = False
    API_TITLE = "ShopSwift"
    API_VERSION = "v1"
    OPENAPI_VERSION = "3.1.0"
    OPENAPI_URL_PREFIX = "/api"
    OPENAPI_JSON_PATH = "openapi.json"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.SECRET_KEY = self._text("SECRET_KEY", DEVELOPMENT_SECRET)
        self.SECRET_KEY_FALLBACKS = self._words("SECRET_KEY_FALLBACKS")
        self.JWT_SECRET_KEY = self._text("JWT_SECRET_KEY", DEVELOPMENT_SECRET)
        self.JWT_SECRET_KEY_PREVIOUS = self._words("JWT_SECRET_KEY_PREVIOUS")
        self.JWT_ACCESS_TOKEN_EXPIRES = timedelta(minutes=self._int("ACCESS_TOKEN_MINUTES", 15))
        self.JWT_REFRESH_TOKEN_EXPIRES = timedelta(days=self._int("REFRESH_TOKEN_DAYS", 30))
        self.BCRYPT_LOG_ROUNDS = self._int("BCRYPT_LOG_ROUNDS", self.DEFAULT_BCRYPT_ROUNDS, 4, 20)
        self._read_hashing()
        self.STORE_NAME = self._text("STORE_NAME", "ShopSwift")
        self.STORE_CURRENCY = self._currency()
        self.STORE_LOCALE = self._locale()
        self.STORE_LOW_STOCK = self._int("STORE_LOW_STOCK", 5, 0)
        # 90: for as long browsers keep the cookie of a guest's cart.
        self.CART_DAYS = self._int("CART_DAYS", 30, 1, 90)
        self.GUEST_LIMITS = self._guest_limits()
        self.SECURITY_LOG_DAYS = self._int("SECURITY_LOG_DAYS", 90, 1, 3650)
        self.HOST = self._text("HOST", "127.0.0.1")
        self.PORT = self._int("PORT", 5000, 0, 65535)
        self.WEB_CONCURRENCY = self._int("WEB_CONCURRENCY", self._workers())
        self.WEB_THREADS = self._int("WEB_THREADS", 8)
        self.WEB_MAX_REQUESTS = self._int("WEB_MAX_REQUESTS", 0, 0)
        self.TRUSTED_HOSTS = self._list("TRUSTED_HOSTS", _HOST, "host names such as shop.example")
        self.CORS_ORIGINS = self._list(
            "CORS_ORIGINS", _ORIGIN, "origins such as https://app.example"
        )
        self.TRUSTED_PROXIES = self._int("TRUSTED_PROXIES", 0, 0, 10)
        self.LOG_LEVEL = self._choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
        self.LOG_FORMAT = self._choice("LOG_FORMAT", self.DEFAULT_LOG_FORMAT, ("text", "json"))
        self.METRICS_TOKEN = self._metrics_token()
        self.OTEL_EXPORTER_OTLP_ENDPOINT = self._text("OTEL_EXPORTER_OTLP_ENDPOINT", "")
        self.OTEL_SERVICE_NAME = self._text("OTEL_SERVICE_NAME", "shopswift")
        self.ALLOW_SQLITE = self._bool("ALLOW_SQLITE", False)
        self.MEDIA_FOLDER = self._text("MEDIA_FOLDER", str(ROOT / "instance" / "media"))
        self.MEDIA_URL = self._text("MEDIA_URL", "/media")
        beside_media = Path(self.MEDIA_FOLDER).parent / "status"
        self.STATUS_FOLDER = self._text("STATUS_FOLDER", str(beside_media))
        self.BACKUP_KEY = self._text("BACKUP_KEY", "")
        self.BACKUP_KEY_PREVIOUS = self._words("BACKUP_KEY_PREVIOUS")
        self._read_database()
        self._read_redis()

    def _read_hashing(self) -> None:
        """How many passwords are hashed at once; see `app.services.accounts.bulkhead`."""
        threads = self._int("WEB_THREADS", 8)
        at_once = self.DEFAULT_HASHES_AT_ONCE or max(1, usable_cores() - 1)
        # One thread hashes and two stay free: a list takes milliseconds, so two serve many.
        waiting = self.DEFAULT_HASHES_WAITING or max(0, threads - 3)
        self.PASSWORD_HASHES_AT_ONCE = self._int("PASSWORD_HASHES_AT_ONCE", at_once, 1, 1024)
        self.PASSWORD_HASHES_WAITING = self._int("PASSWORD_HASHES_WAITING", waiting, 0, 1024)
        self.PASSWORD_HASHES_FOLDER = self._text("PASSWORD_HASHES_FOLDER", hashes_folder())

    def _read_database(self) -> None:
        default = f"sqlite:///{ROOT / 'instance' / 'shopswift.db'}"
        self.SQLALCHEMY_DATABASE_URI = database_url(self._text("DATABASE_URL", default))
        self.DB_POOL_SIZE = self._int("DB_POOL_SIZE", self.WEB_THREADS)
        self.DB_MAX_OVERFLOW = self._int("DB_MAX_OVERFLOW", 2, 0)
        self.DATABASE_POOLER = self._bool("DATABASE_POOLER", False)
        self.SQLALCHEMY_ENGINE_OPTIONS = engine_options(
            self.SQLALCHEMY_DATABASE_URI,
            pool_size=self.DB_POOL_SIZE,
            max_overflow=self.DB_MAX_OVERFLOW,
            slow_seconds=self._int("SLOW_QUERY_MS", 200, 0) / 1000,
            behind_pooler=self.DATABASE_POOLER,
        )
        replica = self._text("DATABASE_REPLICA_URL", "")
        self.DATABASE_OWNER_URL = self._text("DATABASE_OWNER_URL", "")
        self.SQLALCHEMY_BINDS = {
            **(self._replica_engines(replica) if replica else {}),
            **(self._owner_engine() if self.DATABASE_OWNER_URL else {}),
        }

    def _owner_engine(self) -> dict[str, dict[str, Any]]:
        """For `app.db.database_roles`: migrations alone use it, and one connection is enough."""
        url = database_url(self.DATABASE_OWNER_URL, "DATABASE_OWNER_URL")
        if url.startswith("sqlite") or self.SQLALCHEMY_DATABASE_URI.startswith("sqlite"):
            raise ConfigurationError("DATABASE_OWNER_URL is for PostgreSQL: SQLite has no roles.")
        self.DATABASE_OWNER_URL = url
        return {"owner": {**owner_options(url), "url": url}}

    def _replica_engines(self, text: str) -> dict[str, dict[str, Any]]:
        """For `app.db.replica`: one to read from, and one to ask the primary how far it is."""
        url, primary = database_url(text, "DATABASE_REPLICA_URL"), self.SQLALCHEMY_DATABASE_URI
        if url.startswith("sqlite") or primary.startswith("sqlite"):
            raise ConfigurationError("DATABASE_REPLICA_URL needs PostgreSQL here and there.")
        options = replica_options(self.SQLALCHEMY_ENGINE_OPTIONS)
        one = {"pool_size": 1, "max_overflow": 0}
        return {
            "replica": {**options, "url": url},
            "watched_primary": {**options, **one, "url": primary},
        }

    def _guest_limits(self) -> GuestLimits:
        names = {
            "order_units": ("GUEST_ORDER_UNITS", 100_000),
            "network_units": ("GUEST_NETWORK_UNITS", 1_000_000),
            "email_units": ("GUEST_EMAIL_UNITS", 200_000),
            "network_orders": ("GUEST_NETWORK_ORDERS", 10_000),
            "email_orders": ("GUEST_EMAIL_ORDERS", 1_000),
        }
        most = 999_999_999
        return GuestLimits(
            **{field: self._int(name, value, 0, most) for field, (name, value) in names.items()}
        )

    def _workers(self) -> int:
        """One for each core that we may use; on SQLite, which has one writer at a time, one."""
        is_sqlite = self._text("DATABASE_URL", "sqlite:").startswith("sqlite:")
        return 1 if is_sqlite else usable_cores()

    def _read_redis(self) -> None:
        self.REDIS_URL = self._redis_url("REDIS_URL", "")
        self.CACHE_TYPE = PLAIN_REDIS if self.REDIS_URL else "SimpleCache"
        self.CACHE_REDIS_URL = self.REDIS_URL or None
        self.CACHE_OPTIONS = redis_options() if self.REDIS_URL else {}
        self.RATELIMIT_ENABLED = self._bool("RATELIMIT_ENABLED", True)
        self.RATELIMIT_DEFAULT = self._limit("RATELIMIT_DEFAULT", "1200 per minute")
        self.RATELIMIT_NETWORK = self._limit("RATELIMIT_NETWORK", "12000 per minute")
        self.RATELIMIT_AUTH = self._limit("RATELIMIT_AUTH", "60 per minute")
        self.RATELIMIT_PASSWORDS = self._limit(
            "RATELIMIT_PASSWORDS", "120 per minute; 2000 per hour"
        )
        self.RATELIMIT_GUEST_CARTS = self._limit(
            "RATELIMIT_GUEST_CARTS", "3000 per hour; 20000 per day"
        )
        self.RATELIMIT_GUEST_ITEMS = self._limit("RATELIMIT_GUEST_ITEMS", "30000 per day")
        storage = self._text("RATELIMIT_STORAGE_URL", self.REDIS_URL or "memory://")
        if storage != "memory://":
            storage = self._redis_url("RATELIMIT_STORAGE_URL", self.REDIS_URL)
        # "shop+": the storages of app/web/limits/storage.py, which outlive an outage of Redis.
        self.RATELIMIT_STORAGE_URI = f"shop+{storage}"
        self.RATELIMIT_STORAGE_OPTIONS = {} if storage == "memory://" else redis_options()

    def problems(self) -> list[str]:
        """What must be mended before the shop may start."""
        return []

    def warnings(self) -> list[str]:
        """What an operator should know, although the shop starts."""
        return [line for line in self._secret_problems() if "default" not in line]

    def backup_keys(self) -> list[str]:
        """The key that signs backups, then those that are only accepted.

        Only scripts/backup and scripts/restore need it, so the shop starts without one.

        Raises:
            ConfigurationError: production without a good key of its own.
        """
        return [self.BACKUP_KEY or DEVELOPMENT_SECRET, *self.BACKUP_KEY_PREVIOUS]

    def _secret_problems(self) -> list[str]:
        """One line for each secret that is missing, weak, or used for two purposes."""
        lines, first_use = [], dict[str, str]()
        for name, value, min_bytes in self._secrets():
            if value == DEVELOPMENT_SECRET:
                lines.append(f"{name} is missing or the development default")
                continue
            if weakness := secret_strength.weakness(value, min_bytes):
                lines.append(f"{name} {weakness}")
            elif value in first_use:
                lines.append(f"{name} is the same as {first_use[value]}")
            first_use.setdefault(value, name)
        return lines

    def _secrets(self) -> list[tuple[str, str, int]]:
        """Name, value and minimal length in bytes: keys that sign, keys that are only believed, and
        the token of the figures."""
        keys = [
            ("SECRET_KEY", self.SECRET_KEY),
            ("JWT_SECRET_KEY", self.JWT_SECRET_KEY),
            *(("SECRET_KEY_FALLBACKS", value) for value in self.SECRET_KEY_FALLBACKS),
            *(("JWT_SECRET_KEY_PREVIOUS", value) for value in self.JWT_SECRET_KEY_PREVIOUS),
        ]
        secrets = [(name, value, secret_strength.MIN_BYTES) for name, value in keys]
        if self.METRICS_TOKEN:
            secrets.append(("METRICS_TOKEN", self.METRICS_TOKEN, secret_strength.MIN_TOKEN_BYTES))
        return secrets

    def _text(self, name: str, default: str) -> str:
        return self._environ.get(name, "").strip() or default

    def _int(self, name: str, default: int, low: int = 1, high: int = 1_000_000) -> int:
        text = self._text(name, str(default))
        if not (re.fullmatch("[0-9]{1,9}", text) and low <= int(text) <= high):
            raise ConfigurationError(f"{name} must be a whole number from {low} to {high}.")
        return int(text)

    def _bool(self, name: str, default: bool) -> bool:
        text = self._text(name, str(default)).lower()
        if text not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
            raise ConfigurationError(f"{name} must be true or false.")
        return text in ("1", "true", "yes", "on")

    def _choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self._text(name, default)
        for choice in choices:
            if text.lower() == choice.lower():
                return choice
        raise ConfigurationError(f"{name} must be one of {', '.join(choices)}.")

    def _words(self, name: str) -> list[str]:
        return [word.strip() for word in self._text(name, "").split(",") if word.strip()]

    def _list(self, name: str, kind: re.Pattern[str], what: str) -> list[str] | None:
        text = self._text(name, "").lower()
        found = [part.strip() for part in text.split(",")] if text else None
        if found and not all(kind.fullmatch(part) for part in found):
            raise ConfigurationError(f"{name} must be {what}, split by commas.")
        return found

    def _limit(self, name: str, default: str) -> str:
        text = self._text(name, default)
        try:
            parse_many(text)
        except ValueError:
            raise ConfigurationError(
                f"{name} must be a limit such as 100 per minute, or several split by semicolons."
            ) from None
        return text

    def _redis_url(self, name: str, default: str) -> str:
        from redis.connection import parse_url

        url = self._text(name, default)
        if url == default:
            return url
        try:
            parse_url(url)  # type: ignore[no-untyped-call]
        except ValueError:
            raise ConfigurationError(f"{name} must be a URL like redis://host:6379/0.") from None
        return url

    def _metrics_token(self) -> str:
        token = self._text("METRICS_TOKEN", "")
        if token and not re.fullmatch("[!-~]{16,}", token):
            raise ConfigurationError("METRICS_TOKEN must be 16 or more ASCII letters and signs.")
        return token

    def _currency(self) -> str:
        code = self._text("STORE_CURRENCY", "USD").upper()
        if not is_currency(code):
            raise ConfigurationError(f"STORE_CURRENCY is {code}, which is no currency of ISO 4217.")
        return code

    def _locale(self) -> str:
        name = self._text("STORE_LOCALE", "en_US")
        try:
            return str(Locale.parse(name.replace("-", "_")))
        except (ValueError, UnknownLocaleError):
            raise ConfigurationError(
                f"STORE_LOCALE is {name}, which is no locale such as en_US or de_DE."
            ) from None


class Development(Config):
    """For a developer's machine: a known secret, readable logs."""


class Testing(Config):
    """For the test suite: cheap password hashes, no limits unless a test asks."""

    __test__ = False  # no test itself, though pytest would take it for one by its name
    NAME = "testing"
    TESTING = True
    DEFAULT_BCRYPT_ROUNDS = 4
    READY_SECONDS = 0.0
    DEFAULT_HASHES_AT_ONCE = 64
    DEFAULT_HASHES_WAITING = 1024

    def warnings(self) -> list[str]:
        """None: the secrets of a test suite are published with it."""
        return []


class Production(Config):
    """For real shoppers: refuses to start on what would be unsafe."""

    NAME = "production"
    DEFAULT_LOG_FORMAT = "json"
    JWT_COOKIE_SECURE = SESSION_COOKIE_SECURE = True
    # Browsers take such a name from this very host alone, over HTTPS (RFC 6265bis, section 4.1.3).
    JWT_ACCESS_COOKIE_NAME = "__Host-sign_in"
    SESSION_COOKIE_NAME = "__Host-visit"

    def problems(self) -> list[str]:
        """Weak secrets, no TRUSTED_HOSTS, and SQLite unless ALLOW_SQLITE says that it is meant."""
        found = self._secret_problems()
        if not self.TRUSTED_HOSTS:
            found.append("TRUSTED_HOSTS is missing (the host names of the shop, as shop.example)")
        if self.SQLALCHEMY_DATABASE_URI.startswith("sqlite") and not self.ALLOW_SQLITE:
            found.append("DATABASE_URL names SQLite (set ALLOW_SQLITE=true if that is meant)")
        return found

    def backup_keys(self) -> list[str]:
        """See `Config.backup_keys`: a known key would let anybody sign, and one that the servers
        have as well would let whoever takes over a server."""
        keys = super().backup_keys()
        others = {value for _name, value, _min_bytes in self._secrets()}
        for key in keys:
            if key == DEVELOPMENT_SECRET:
                raise ConfigurationError("BACKUP_KEY is missing or the development default.")
            if weakness := secret_strength.weakness(key):
                raise ConfigurationError(f"BACKUP_KEY {weakness}.")
            if key in others:
                raise ConfigurationError("BACKUP_KEY must differ from all other secrets.")
        return keys


ENVIRONMENTS = {kind.NAME: kind for kind in (Development, Testing, Production)}


def usable_cores() -> int:
    """How many cores this process may use; a container's quota of CPU time is not known to it."""
    import os

    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def hashes_folder() -> str:
    """A folder of this user's that all processes of the machine find: in memory where possible."""
    import os
    import tempfile

    # A folder of mode 0700 is made there.
    memory = Path("/dev/shm")  # nosec B108 # noqa: S108
    home = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    return str(home / f"shopswift-passwords-{os.geteuid()}")


def load(environ: Mapping[str, str] | None = None) -> Config:
    """The settings for FLASK_ENV, from `environ` or else the process's environment and `.env`.

    Raises:
        ConfigurationError: a value that cannot be read.
    """
    if environ is None:
        environ = _process_environment()
    name = environ.get("FLASK_ENV", "").strip() or "development"
    if name not in ENVIRONMENTS:
        raise ConfigurationError(f"FLASK_ENV must be one of {', '.join(ENVIRONMENTS)}.")
    return ENVIRONMENTS[name](environ)


def database_url(text: str, name: str = "DATABASE_URL") -> str:
    """The URL of a database that the shop can use, with its driver named.

    Raises:
        ConfigurationError: no URL, or another database's; the URL, which may hold a password, is
            not repeated.
    """
    try:
        url = make_url(with_driver(text))
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"{name} is not the URL of a database.") from None
    if url.drivername not in ("sqlite", "postgresql+psycopg2"):
        raise ConfigurationError(f"{name} must start with postgresql:// or sqlite:///.")
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(f"{name} must name a database, or a file for SQLite.")
    return url.render_as_string(hide_password=False)


def with_driver(url: str) -> str:
    """A database URL that names psycopg2, however PostgreSQL was spelled."""
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg2://" + url[len(scheme) :]
    return url


def redis_options() -> dict[str, Any]:
    """For redis-py: short timeouts, at most one retry; its defaults would hold a request long."""
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as NoConnection
    from redis.retry import Retry

    # A connection that Redis closed meanwhile is made anew; one that is silent is not asked twice.
    again = Retry(NoBackoff(), 1, supported_errors=(NoConnection,))
    return {
        "socket_timeout": REDIS_SECONDS,
        "socket_connect_timeout": REDIS_SECONDS,
        "retry": again,
    }


def _process_environment() -> Mapping[str, str]:
    import os

    from dotenv import dotenv_values

    if os.environ.get("FLASK_ENV", "").strip() in (Production.NAME, Testing.NAME):
        return os.environ
    from_file = {name: value or "" for name, value in dotenv_values(ROOT / ".env").items()}
    return {**from_file, **os.environ}
