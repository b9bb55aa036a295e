"""Settings, read from the environment and nowhere else. Each is described in `.env.example`."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from babel import Locale, UnknownLocaleError

from app.db.engines import engine_options, owner_options, replica_options
from app.domain.money import is_currency
from app.domain.payment_methods import PAYMENT_METHODS, PaymentMethod
from app.domain.people import emails, secret_strength
from app.domain.people.guest_limits import GuestLimits
from app.environment import ConfigurationError as ConfigurationError
from app.environment import Environment
from app.gateways import mail

ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT_SECRET = "for-development-only-never-in-production"  # noqa: S105 - refused in production
PLAIN_REDIS = "app.services.cache.shared_cache.PlainRedis"
_HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*")
# As browsers send it: without a path, and without the scheme's own port (RFC 6454, section 6.2).
_ORIGIN = re.compile(
    r"(https(?!.*:443$)|http(?!.*:80$))://[a-z0-9-]+(\.[a-z0-9-]+)*(:[1-9][0-9]{0,4})?"
)


class Config:
    """The settings that all environments share. Flask's configuration takes the names in capitals."""

    NAME = "development"
    TESTING = False
    DEBUG = False
    DEFAULT_LOG_FORMAT = "text"
    DEFAULT_BCRYPT_ROUNDS = 12
    READY_SECONDS = 1.0
    """How long /healthz/ready repeats its last answer."""
    REDIS_SECONDS = 0.08
    """How long one call to Redis may take: cache and limits together stay below 0.2 s a request."""
    DEFAULT_HASHES_AT_ONCE: int | None = None
    DEFAULT_HASHES_WAITING: int | None = None

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
    # One byte more, so that a chunked body of exactly the limit is not taken for a truncated one.
    MAX_CONTENT_LENGTH = MAX_BODY_BYTES + 1
    MAX_FORM_MEMORY_SIZE = 256 * 1024  # room for the longest text, percent-encoded
    MAX_FORM_PARTS = 200
    MAX_UPLOAD_BYTES = 20 * 1024 * 1024  # a phone's picture of 48 megapixels fits
    CACHE_KEY_PREFIX = "shopswift:"
    RATELIMIT_KEY_PREFIX = "shopswift"
    JWT_ENCODE_NBF = False  # tokens are valid at once, whatever another machine's clock says
    API_TITLE = "ShopSwift"
    API_VERSION = "v1"
    OPENAPI_VERSION = "3.1.0"

    def __init__(self, environ: Mapping[str, str]) -> None:
        env = Environment(environ)
        self.SECRET_KEY = env.text("SECRET_KEY", DEVELOPMENT_SECRET)
        self.SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
        self.JWT_SECRET_KEY = env.text("JWT_SECRET_KEY", DEVELOPMENT_SECRET)
        self.JWT_SECRET_KEY_PREVIOUS = env.words("JWT_SECRET_KEY_PREVIOUS")
        self.JWT_ACCESS_TOKEN_EXPIRES = timedelta(minutes=env.integer("ACCESS_TOKEN_MINUTES", 15))
        self.JWT_REFRESH_TOKEN_EXPIRES = timedelta(days=env.integer("REFRESH_TOKEN_DAYS", 30))
        self.BCRYPT_LOG_ROUNDS = env.integer("BCRYPT_LOG_ROUNDS", self.DEFAULT_BCRYPT_ROUNDS, 4, 20)
        self.REQUIRE_STAFF_MFA = env.boolean("REQUIRE_STAFF_MFA", False)
        self.REQUIRE_EMAIL_VERIFIED = env.boolean("REQUIRE_EMAIL_VERIFIED", False)
        self._read_store(env)
        self._read_server(env)
        self._read_hashing(env)
        self._read_database(env)
        self._read_redis(env)
        self._read_mail(env)
        self._read_webhooks(env)

    def _read_store(self, env: Environment) -> None:
        self.STORE_NAME = env.text("STORE_NAME", "ShopSwift")
        self.STORE_CURRENCY = self._currency(env)
        self.STORE_LOCALE = self._locale(env)
        self.PAYMENT_METHODS = self._payment_methods(env)
        self.STORE_LOW_STOCK = env.integer("STORE_LOW_STOCK", 5, 0)
        # At most 90: browsers keep a guest's cart cookie for 90 days.
        self.CART_DAYS = env.integer("CART_DAYS", 30, 1, 90)
        self.GUEST_LIMITS = self._guest_limits(env)
        self.SECURITY_LOG_DAYS = env.integer("SECURITY_LOG_DAYS", 90, 1, 3650)
        self.MEDIA_FOLDER = env.text("MEDIA_FOLDER", str(ROOT / "instance" / "media"))
        self.MEDIA_URL = env.text("MEDIA_URL", "/media")
        self.BACKUP_KEY = env.text("BACKUP_KEY")
        self.BACKUP_KEY_PREVIOUS = env.words("BACKUP_KEY_PREVIOUS")

    def _read_server(self, env: Environment) -> None:
        self.HOST = env.text("HOST", "127.0.0.1")
        self.PORT = env.integer("PORT", 5000, 0, 65535)
        self.WEB_CONCURRENCY = env.integer("WEB_CONCURRENCY", self._workers(env))
        self.WEB_THREADS = env.integer("WEB_THREADS", 8)
        self.WEB_MAX_REQUESTS = env.integer("WEB_MAX_REQUESTS", 0, 0)
        self.TRUSTED_HOSTS = env.matching("TRUSTED_HOSTS", _HOST, "host names such as shop.example")
        self.CORS_ORIGINS = env.matching(
            "CORS_ORIGINS", _ORIGIN, "origins such as https://app.example"
        )
        self.TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0, 0, 10)
        self.LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
        self.LOG_FORMAT = env.choice("LOG_FORMAT", self.DEFAULT_LOG_FORMAT, ("text", "json"))
        self.METRICS_TOKEN = self._metrics_token(env)
        self.OTEL_EXPORTER_OTLP_ENDPOINT = env.text("OTEL_EXPORTER_OTLP_ENDPOINT")
        self.OTEL_SERVICE_NAME = env.text("OTEL_SERVICE_NAME", "shopswift")
        self.ALLOW_SQLITE = env.boolean("ALLOW_SQLITE", False)
        beside_media = Path(self.MEDIA_FOLDER).parent / "status"
        self.STATUS_FOLDER = env.text("STATUS_FOLDER", str(beside_media))

    def _read_hashing(self, env: Environment) -> None:
        """How many passwords are hashed at a time: see `app.services.accounts.bulkhead`."""
        at_once = self.DEFAULT_HASHES_AT_ONCE or max(1, usable_cores() - 1)
        # One thread hashes and two stay free: a list takes milliseconds, so two serve many.
        waiting = self.DEFAULT_HASHES_WAITING or max(0, self.WEB_THREADS - 3)
        self.PASSWORD_HASHES_AT_ONCE = env.integer("PASSWORD_HASHES_AT_ONCE", at_once, 1, 1024)
        self.PASSWORD_HASHES_WAITING = env.integer("PASSWORD_HASHES_WAITING", waiting, 0, 1024)
        self.PASSWORD_HASHES_FOLDER = env.text("PASSWORD_HASHES_FOLDER", hashes_folder())

    def _read_database(self, env: Environment) -> None:
        default = f"sqlite:///{ROOT / 'instance' / 'shopswift.db'}"
        self.SQLALCHEMY_DATABASE_URI = env.database_url("DATABASE_URL", default)
        self.DB_POOL_SIZE = env.integer("DB_POOL_SIZE", self.WEB_THREADS)
        self.DB_MAX_OVERFLOW = env.integer("DB_MAX_OVERFLOW", 2, 0)
        self.DATABASE_POOLER = env.boolean("DATABASE_POOLER", False)
        self.SQLALCHEMY_ENGINE_OPTIONS = engine_options(
            self.SQLALCHEMY_DATABASE_URI,
            pool_size=self.DB_POOL_SIZE,
            max_overflow=self.DB_MAX_OVERFLOW,
            slow_seconds=env.integer("SLOW_QUERY_MS", 200, 0) / 1000,
            behind_pooler=self.DATABASE_POOLER,
        )
        self.DATABASE_OWNER_URL = ""
        self.SQLALCHEMY_BINDS = {**self._replica_engines(env), **self._owner_engine(env)}

    def _owner_engine(self, env: Environment) -> dict[str, dict[str, Any]]:
        """The engine of `app.db.database_roles`, where DATABASE_OWNER_URL is set."""
        if not env.text("DATABASE_OWNER_URL"):
            return {}
        url = env.database_url("DATABASE_OWNER_URL")
        if url.startswith("sqlite") or self.SQLALCHEMY_DATABASE_URI.startswith("sqlite"):
            raise ConfigurationError("DATABASE_OWNER_URL is for PostgreSQL: SQLite has no roles.")
        self.DATABASE_OWNER_URL = url
        return {"owner": {**owner_options(url), "url": url}}

    def _replica_engines(self, env: Environment) -> dict[str, dict[str, Any]]:
        """The engines of `app.db.replica`, where DATABASE_REPLICA_URL is set: one reads from the
        replica, one asks the primary for its position."""
        if not env.text("DATABASE_REPLICA_URL"):
            return {}
        url, primary = env.database_url("DATABASE_REPLICA_URL"), self.SQLALCHEMY_DATABASE_URI
        if url.startswith("sqlite") or primary.startswith("sqlite"):
            raise ConfigurationError("DATABASE_REPLICA_URL needs PostgreSQL here and there.")
        options = replica_options(self.SQLALCHEMY_ENGINE_OPTIONS)
        single = {"pool_size": 1, "max_overflow": 0}
        return {
            "replica": {**options, "url": url},
            "watched_primary": {**options, **single, "url": primary},
        }

    def _guest_limits(self, env: Environment) -> GuestLimits:
        most = 999_999_999
        return GuestLimits(
            order_units=env.integer("GUEST_ORDER_UNITS", 100_000, 0, most),
            network_units=env.integer("GUEST_NETWORK_UNITS", 1_000_000, 0, most),
            email_units=env.integer("GUEST_EMAIL_UNITS", 200_000, 0, most),
            network_orders=env.integer("GUEST_NETWORK_ORDERS", 10_000, 0, most),
            email_orders=env.integer("GUEST_EMAIL_ORDERS", 1_000, 0, most),
        )

    def _workers(self, env: Environment) -> int:
        """One for each usable core; on SQLite, which has one writer at a time, one."""
        is_sqlite = env.text("DATABASE_URL", "sqlite:").startswith("sqlite:")
        return 1 if is_sqlite else usable_cores()

    def _read_redis(self, env: Environment) -> None:
        self.REDIS_URL = env.redis_url("REDIS_URL", "")
        self.CACHE_TYPE = PLAIN_REDIS if self.REDIS_URL else "SimpleCache"
        self.CACHE_REDIS_URL = self.REDIS_URL or None
        self.CACHE_OPTIONS = redis_options(self.REDIS_SECONDS) if self.REDIS_URL else {}
        self.RATELIMIT_ENABLED = env.boolean("RATELIMIT_ENABLED", True)
        self.RATELIMIT_DEFAULT = env.limit("RATELIMIT_DEFAULT", "1200 per minute")
        self.RATELIMIT_NETWORK = env.limit("RATELIMIT_NETWORK", "12000 per minute")
        self.RATELIMIT_AUTH = env.limit("RATELIMIT_AUTH", "60 per minute")
        self.RATELIMIT_PASSWORDS = env.limit("RATELIMIT_PASSWORDS", "120 per minute; 2000 per hour")
        self.RATELIMIT_GUEST_CARTS = env.limit(
            "RATELIMIT_GUEST_CARTS", "3000 per hour; 20000 per day"
        )
        self.RATELIMIT_GUEST_ITEMS = env.limit("RATELIMIT_GUEST_ITEMS", "30000 per day")
        storage = env.text("RATELIMIT_STORAGE_URL", self.REDIS_URL or "memory://")
        if storage != "memory://":
            storage = env.redis_url("RATELIMIT_STORAGE_URL", self.REDIS_URL)
        # "shop+": the storages of app/web/limits/storage.py, which outlive an outage of Redis.
        self.RATELIMIT_STORAGE_URI = f"shop+{storage}"
        self.RATELIMIT_STORAGE_OPTIONS = (
            {} if storage == "memory://" else redis_options(self.REDIS_SECONDS)
        )

    def _read_webhooks(self, env: Environment) -> None:
        self.WEBHOOK_RETRY_SECONDS = env.integer("WEBHOOK_RETRY_SECONDS", 5, 1, 3600)
        self.WEBHOOK_ALLOW_PRIVATE = env.boolean("WEBHOOK_ALLOW_PRIVATE", False)

    def _read_mail(self, env: Environment) -> None:
        self.SHOP_URL = self._shop_url(env)
        self.MAIL_URL = env.text("MAIL_URL")
        host = urlsplit(self.SHOP_URL).hostname or ""
        default = f"shop@{host}" if re.search(r"\.[a-z]", host) else "shop@shop.test"
        self.MAIL_FROM = env.text("MAIL_FROM", default)
        beside_media = Path(self.MEDIA_FOLDER).parent / "mail"
        self.MAIL_FOLDER = env.text("MAIL_FOLDER", str(beside_media))
        try:
            if self.MAIL_URL:
                mail.read_url(self.MAIL_URL)
            self.MAIL_FROM = emails.wire_form(self.MAIL_FROM)
        except mail.MailUrlError as error:
            raise ConfigurationError(f"MAIL_URL: {error}.") from None
        except emails.NotAnEmail:
            raise ConfigurationError("MAIL_FROM must be an email address.") from None
        if not self.MAIL_FROM.isascii():  # or only servers with SMTPUTF8 would take any mail
            raise ConfigurationError("MAIL_FROM must be ASCII before the @.")

    def _shop_url(self, env: Environment) -> str:
        """Where shoppers find the shop, for links that are made outside of a request."""
        url = env.text("SHOP_URL").rstrip("/")
        if not url:
            hosts = [host.lstrip(".") for host in self.TRUSTED_HOSTS or ()]
            return f"https://{hosts[0]}" if hosts else f"http://localhost:{self.PORT or 5000}"
        if not _ORIGIN.fullmatch(url):
            raise ConfigurationError("SHOP_URL must be an origin such as https://shop.example.")
        return url

    def problems(self) -> list[str]:
        """Reasons why the shop may not start; none outside production."""
        return []

    def warnings(self) -> list[str]:
        """What an operator should change, although the shop starts."""
        return [line for line in self._secret_problems() if "default" not in line]

    def backup_keys(self) -> list[str]:
        """The key that signs backups, then the previous keys, which are only accepted.

        Only scripts/backup and scripts/restore need one, so the shop starts without.

        Raises:
            ConfigurationError: in production, a key is missing or weak, or equals another secret.
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
        """Name, value and minimal length in bytes of the keys that sign, the previous keys, and the
        token for /metrics."""
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

    def _metrics_token(self, env: Environment) -> str:
        token = env.text("METRICS_TOKEN")
        if token and not re.fullmatch("[!-~]{16,}", token):
            raise ConfigurationError("METRICS_TOKEN must be 16 or more ASCII letters and signs.")
        return token

    def _currency(self, env: Environment) -> str:
        code = env.text("STORE_CURRENCY", "USD").upper()
        if not is_currency(code):
            raise ConfigurationError(f"STORE_CURRENCY is {code}, which is no currency of ISO 4217.")
        return code

    def _payment_methods(self, env: Environment) -> list[PaymentMethod]:
        """The ways to pay, in the order in which customers are offered them."""
        names = [name.lower() for name in env.words("PAYMENT_METHODS")] or list(PAYMENT_METHODS)
        for name in names:
            if name not in PAYMENT_METHODS:
                existing = ", ".join(PAYMENT_METHODS)
                raise ConfigurationError(
                    f"PAYMENT_METHODS names {name!r}; there are {existing}, split by commas."
                )
        return [PAYMENT_METHODS[name] for name in dict.fromkeys(names)]

    def _locale(self, env: Environment) -> str:
        name = env.text("STORE_LOCALE", "en_US")
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

    __test__ = False  # pytest would collect it as a test by its name
    NAME = "testing"
    TESTING = True
    DEFAULT_BCRYPT_ROUNDS = 4
    READY_SECONDS = 0.0
    REDIS_SECONDS = 0.3  # a busy machine is no outage
    DEFAULT_HASHES_AT_ONCE = 64
    DEFAULT_HASHES_WAITING = 1024

    def warnings(self) -> list[str]:
        """None: the secrets of the test suite are published with it."""
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
        problems = self._secret_problems()
        if not self.TRUSTED_HOSTS:
            problems.append(
                "TRUSTED_HOSTS is missing (the host names of the shop, as shop.example)"
            )
        if self.SQLALCHEMY_DATABASE_URI.startswith("sqlite") and not self.ALLOW_SQLITE:
            problems.append("DATABASE_URL names SQLite (set ALLOW_SQLITE=true if that is meant)")
        if self.WEBHOOK_ALLOW_PRIVATE:
            problems.append("WEBHOOK_ALLOW_PRIVATE is for development alone")
        return problems

    def warnings(self) -> list[str]:
        """See `Config.warnings`. A shop may run without mail, but hardly means to."""
        missing = "MAIL_URL is missing: mails are written to files, and nobody gets them"
        return [*super().warnings(), *([] if self.MAIL_URL else [missing])]

    def backup_keys(self) -> list[str]:
        """See `Config.backup_keys`. A published key would let anybody sign backups, and a key that
        is also a server's secret would let whoever takes over a server."""
        keys = super().backup_keys()
        server_secrets = {value for _name, value, _min_bytes in self._secrets()}
        for key in keys:
            if key == DEVELOPMENT_SECRET:
                raise ConfigurationError("BACKUP_KEY is missing or the development default.")
            if weakness := secret_strength.weakness(key):
                raise ConfigurationError(f"BACKUP_KEY {weakness}.")
            if key in server_secrets:
                raise ConfigurationError("BACKUP_KEY must differ from all other secrets.")
        return keys


ENVIRONMENTS = {kind.NAME: kind for kind in (Development, Testing, Production)}


def usable_cores() -> int:
    """How many cores this process may use; a container's quota of CPU time is not counted."""
    import os

    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def hashes_folder() -> str:
    """A folder of this user that all processes on the machine share: in memory where possible."""
    import os
    import tempfile

    # The bulkhead creates a folder of mode 0700 there.
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


def redis_options(seconds: float) -> dict[str, object]:
    """Options for redis-py: timeouts of `seconds` and at most one retry. Its defaults let requests
    wait."""
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.retry import Retry

    # Reconnects where Redis closed the connection; a Redis that is silent is not called twice.
    retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": retry,
    }


def _process_environment() -> Mapping[str, str]:
    import os

    from dotenv import dotenv_values

    if os.environ.get("FLASK_ENV", "").strip() in (Production.NAME, Testing.NAME):
        return os.environ
    from_file = {name: value or "" for name, value in dotenv_values(ROOT / ".env").items()}
    return {**from_file, **os.environ}
