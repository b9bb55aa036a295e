"""Settings: read from a mapping, with defaults, and refused in one line when wrong."""

import re
from datetime import timedelta

import pytest
from redis.exceptions import TimeoutError as SilentRedis

from app import config
from app.config import ROOT, ConfigurationError, Development, Production, load
from app.domain.payment_methods import PAYMENT_METHODS

KEYS = [
    "UWa1wFZl2Qx8RkPpDbWn4tYcV0sGjM7h", "g3Nf9XuLe5BzKq1TiCy6OaHr8JwDsEmP",
    "b7VnY2cRx0WdT4kSg9ZfQ6jLhA1uMeIo", "p5CtK8yJq3FvE0aNw7GxU2zBmO6sHrDl",
]  # fmt: skip
SECRETS = {"SECRET_KEY": KEYS[0], "JWT_SECRET_KEY": KEYS[1]}
PREPAYMENT, INVOICE = (PAYMENT_METHODS[name] for name in ("prepayment", "invoice"))
POSTGRES = "postgresql://shop:pw@db.example/shop"
PRODUCTION = {
    "FLASK_ENV": "production",
    "DATABASE_URL": POSTGRES,
    "TRUSTED_HOSTS": "shop.example",
    **SECRETS,
}

NO_ORIGINS = [
    "*", "null", "app.example", "https://", "https://app.example/", "https://*.app.example",
    "https://app.example:443", "http://app.example:80", "https://user@app.example",
    "https://app.example,*", "https://app.example https://b.example", "ftp://app.example", "https://app.example?", "https://app..example",
]  # fmt: skip


def test_without_any_setting_it_is_a_developers_shop():
    settings = load({})

    assert isinstance(settings, Development)
    assert settings.problems() == []
    assert f"sqlite:///{ROOT}/instance/shopswift.db" == settings.SQLALCHEMY_DATABASE_URI
    assert (settings.HOST, settings.PORT, settings.WEB_CONCURRENCY) == ("127.0.0.1", 5000, 1)
    assert (settings.CACHE_TYPE, settings.RATELIMIT_STORAGE_URI) == (
        "SimpleCache",
        "shop+memory://",
    )
    assert (settings.LOG_FORMAT, settings.STORE_CURRENCY) == ("text", "USD")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("development", Development), ("testing", config.Testing), ("production", Production)],
)
def test_flask_env_chooses_the_environment(name, kind):
    assert type(load({"FLASK_ENV": name})) is kind


def test_an_unknown_environment_is_refused():
    with pytest.raises(ConfigurationError, match="development, testing, production"):
        load({"FLASK_ENV": "prod"})


def test_empty_values_are_as_good_as_none():
    assert load({"PORT": "", "STORE_CURRENCY": " ", "FLASK_ENV": ""}).PORT == 5000


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("ACCESS_TOKEN_MINUTES", "5", "JWT_ACCESS_TOKEN_EXPIRES", timedelta(minutes=5)),
        ("REFRESH_TOKEN_DAYS", "7", "JWT_REFRESH_TOKEN_EXPIRES", timedelta(days=7)),
        ("BCRYPT_LOG_ROUNDS", "10", "BCRYPT_LOG_ROUNDS", 10),
        ("STORE_NAME", " Corner Shop ", "STORE_NAME", "Corner Shop"),
        ("STORE_CURRENCY", "jpy", "STORE_CURRENCY", "JPY"),
        ("PAYMENT_METHODS", "", "PAYMENT_METHODS", [PREPAYMENT, INVOICE]),
        (
            "PAYMENT_METHODS",
            " Invoice , prepayment,invoice",
            "PAYMENT_METHODS",
            [INVOICE, PREPAYMENT],
        ),
        ("PAYMENT_METHODS", "invoice", "PAYMENT_METHODS", [INVOICE]),
        ("HOST", "0.0.0.0", "HOST", "0.0.0.0"),  # noqa: S104 - a value, nothing is bound
        ("PORT", "8080", "PORT", 8080),
        ("WEB_CONCURRENCY", "4", "WEB_CONCURRENCY", 4),
        ("WEB_THREADS", "2", "WEB_THREADS", 2),
        ("TRUSTED_PROXIES", "1", "TRUSTED_PROXIES", 1),
        (
            "TRUSTED_HOSTS",
            "Shop.example, .shop.example",
            "TRUSTED_HOSTS",
            ["shop.example", ".shop.example"],
        ),
        ("TRUSTED_HOSTS", "", "TRUSTED_HOSTS", None),
        (
            "CORS_ORIGINS",
            "https://a.example,http://localhost:3000",
            "CORS_ORIGINS",
            ["https://a.example", "http://localhost:3000"],
        ),
        ("CORS_ORIGINS", " ", "CORS_ORIGINS", None),
        ("LOG_LEVEL", "debug", "LOG_LEVEL", "DEBUG"),
        ("LOG_FORMAT", "JSON", "LOG_FORMAT", "json"),
        ("ALLOW_SQLITE", "yes", "ALLOW_SQLITE", True),
        ("RATELIMIT_ENABLED", "off", "RATELIMIT_ENABLED", False),
        (
            "RATELIMIT_DEFAULT",
            "5 per second; 100/hour",
            "RATELIMIT_DEFAULT",
            "5 per second; 100/hour",
        ),
        ("RATELIMIT_AUTH", "3/minute", "RATELIMIT_AUTH", "3/minute"),
        ("RATELIMIT_NETWORK", "9/minute", "RATELIMIT_NETWORK", "9/minute"),
        ("RATELIMIT_PASSWORDS", "9/hour", "RATELIMIT_PASSWORDS", "9/hour"),
        ("RATELIMIT_GUEST_CARTS", "9/hour", "RATELIMIT_GUEST_CARTS", "9/hour"),
        ("RATELIMIT_GUEST_ITEMS", "9/hour", "RATELIMIT_GUEST_ITEMS", "9/hour"),
        ("PASSWORD_HASHES_AT_ONCE", "3", "PASSWORD_HASHES_AT_ONCE", 3),
        ("PASSWORD_HASHES_WAITING", "0", "PASSWORD_HASHES_WAITING", 0),
        ("PASSWORD_HASHES_FOLDER", "/run/shop", "PASSWORD_HASHES_FOLDER", "/run/shop"),
        ("SECRET_KEY", "123", "SECRET_KEY", "123"),
        ("JWT_SECRET_KEY", "true", "JWT_SECRET_KEY", "true"),
    ],
)
def test_a_variable_reaches_its_setting(name, text, attribute, value):
    assert getattr(load({name: text}), attribute) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "5e3"),
        ("PORT", "٥٠٠٠"),
        ("WEB_CONCURRENCY", "0"),
        ("WEB_THREADS", "9" * 5000),
        ("TRUSTED_PROXIES", "11"),
        ("TRUSTED_HOSTS", "*"),
        ("TRUSTED_HOSTS", "https://shop.example"),
        ("TRUSTED_HOSTS", "shop.example:443"),
        ("TRUSTED_HOSTS", "shop.example,,"),
        *(("CORS_ORIGINS", text) for text in NO_ORIGINS),
        ("BCRYPT_LOG_ROUNDS", "3"),
        ("DB_POOL_SIZE", "many"),
        ("DB_MAX_OVERFLOW", "-1"),
        ("RATELIMIT_ENABLED", "maybe"),
        ("RATELIMIT_DEFAULT", "a lot"),
        ("RATELIMIT_AUTH", "10 per fortnight"),
        ("RATELIMIT_NETWORK", "10 per fortnight"),
        ("RATELIMIT_PASSWORDS", "10 per fortnight"),
        ("RATELIMIT_GUEST_CARTS", "10 per fortnight"),
        ("RATELIMIT_GUEST_ITEMS", "10 per fortnight"),
        ("PASSWORD_HASHES_AT_ONCE", "0"),
        ("PASSWORD_HASHES_WAITING", "-1"),
        ("ALLOW_SQLITE", "2"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("STORE_CURRENCY", "DOLLAR"),
        ("STORE_CURRENCY", "XXX"),
        ("PAYMENT_METHODS", "sandbox,invoice"),
        ("DATABASE_URL", "mysql://localhost/shop"),
        ("DATABASE_URL", "postgresql+asyncpg://localhost/shop"),
        ("DATABASE_URL", "shop.db"),
        ("DATABASE_URL", "postgresql://localhost:port/shop"),
        ("DATABASE_URL", "postgresql://localhost"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "memory://"),
        ("REDIS_URL", "redis://localhost:port"),
        ("RATELIMIT_STORAGE_URL", "memcached://localhost"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_in_one_line_that_names_it(name, text):
    with pytest.raises(ConfigurationError) as refusal:
        load({name: text})

    assert str(refusal.value).startswith(name)
    assert "\n" not in str(refusal.value)


def test_a_refused_database_url_keeps_its_password_to_itself():
    with pytest.raises(ConfigurationError) as refusal:
        load({"DATABASE_URL": "mysql://shop:hunter2@localhost/shop"})

    assert "hunter2" not in str(refusal.value)


def test_on_sqlite_one_process_serves_and_else_one_a_core():
    assert load({}).WEB_CONCURRENCY == 1
    assert load({"DATABASE_URL": POSTGRES}).WEB_CONCURRENCY == config.usable_cores() >= 1


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_postgresql_may_be_spelled_as_hosts_spell_it(scheme):
    settings = load({"DATABASE_URL": f"{scheme}://shop:p%40ss@db/shop?sslmode=require"})

    assert settings.SQLALCHEMY_DATABASE_URI == (
        "postgresql+psycopg2://shop:p%40ss@db/shop?sslmode=require"
    )


def test_nobody_waits_three_seconds_for_a_connection():
    options = load({"DATABASE_URL": POSTGRES}).SQLALCHEMY_ENGINE_OPTIONS

    assert options["pool_timeout"] < 3
    assert options["connect_args"]["connect_timeout"] < 3


def test_the_pool_is_as_large_as_the_threads_need():
    by_default = load({"WEB_THREADS": "6"}).SQLALCHEMY_ENGINE_OPTIONS
    by_wish = load({"DB_POOL_SIZE": "3", "DB_MAX_OVERFLOW": "0"}).SQLALCHEMY_ENGINE_OPTIONS

    assert (by_default["pool_size"], by_default["max_overflow"]) == (6, 2)
    assert (by_wish["pool_size"], by_wish["max_overflow"]) == (3, 0)


def test_redis_serves_cache_and_limits_unless_the_limits_have_their_own():
    one = load({"REDIS_URL": "redis://a:1/0"})
    two = load({"REDIS_URL": "redis://a:1/0", "RATELIMIT_STORAGE_URL": "rediss://b:2/1"})

    assert (one.CACHE_TYPE, one.CACHE_REDIS_URL) == (config.PLAIN_REDIS, "redis://a:1/0")
    assert one.RATELIMIT_STORAGE_URI == "shop+redis://a:1/0"
    assert two.RATELIMIT_STORAGE_URI == "shop+rediss://b:2/1"


def test_a_call_to_redis_is_short_and_not_repeated_when_it_is_silent():
    options = config.redis_options(config.Production.REDIS_SECONDS)
    asked = []

    def ask():
        asked.append(1)
        raise SilentRedis

    assert options["socket_timeout"] + options["socket_connect_timeout"] <= 0.2
    with pytest.raises(SilentRedis):
        options["retry"].call_with_retry(ask, lambda _error: None)
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["SECRET_KEY", "JWT_SECRET_KEY"])
@pytest.mark.parametrize("value", ["", KEYS[2][:31], config.DEVELOPMENT_SECRET])
def test_production_refuses_a_missing_short_or_known_secret(name, value):
    problems = load({**PRODUCTION, name: value}).problems()

    assert len(problems) == 1
    assert problems[0].startswith(name)


WEAK = [
    "a" * 32, "ab" * 20, "0123456789" * 4, "correct horse " * 3, "s" * 20 + "j" * 20,
    "abcdefghijklmnopqrstuvwxyz0123456789", "a" * 63 + "b", "é" * 32, "change-me-to-something-long-enough",
    "<python3 -c 'import secrets'>............",
]  # fmt: skip
NAMES = [
    "SECRET_KEY", "JWT_SECRET_KEY", "SECRET_KEY_FALLBACKS", "JWT_SECRET_KEY_PREVIOUS", "METRICS_TOKEN",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", WEAK)
def test_production_refuses_a_secret_that_is_easy_to_guess(name, value):
    if name == "METRICS_TOKEN":
        value = value.replace(" ", "_").replace("é", "e")  # only ASCII signs are taken there

    (problem,) = load({**PRODUCTION, name: value}).problems()

    assert problem.startswith(name)


@pytest.mark.parametrize("first", NAMES)
@pytest.mark.parametrize("second", NAMES)
def test_production_refuses_a_secret_that_is_used_twice(first, second):
    if first == second:
        values = {first: f"{KEYS[2]},{KEYS[2]}"}
        if not first.endswith(("FALLBACKS", "PREVIOUS")):
            return
    else:
        values = {first: KEYS[2], second: KEYS[2]}

    (problem,) = load({**PRODUCTION, **values}).problems()

    assert re.fullmatch(f"({first}|{second}) is the same as ({first}|{second})", problem)


@pytest.mark.parametrize("name", ["SECRET_KEY_FALLBACKS", "JWT_SECRET_KEY_PREVIOUS"])
def test_keys_that_are_only_believed_are_as_long(name):
    good = load({**PRODUCTION, name: f"{KEYS[2]}, {KEYS[3]},"})
    bad = load({**PRODUCTION, name: f"{KEYS[2]},{KEYS[3][:31]}"})

    assert getattr(good, name) == [KEYS[2], KEYS[3]]
    assert good.problems() == []
    assert bad.problems() == [f"{name} is shorter than 32 bytes"]


def test_a_secret_is_measured_in_bytes():
    assert load({**PRODUCTION, "SECRET_KEY": "éàüößñçøåæþðêîôû"}).problems() == []


def published_values() -> set[str]:
    """What documents and compose files give as values of secrets."""
    files = [ROOT / ".env.example", ROOT / "DEPLOYMENT.md", *ROOT.glob("docker-compose*.yml")]
    text = "\n".join(file.read_text("utf-8") for file in files)
    assigned = re.findall(
        r"^[ #]*[A-Z_]*(?:SECRET|TOKEN|PASSWORD)[A-Z_]*[=:] *(\S.*)$", text, re.MULTILINE
    )
    inside = re.findall(r"_(?:PASSWORD|KEY|TOKEN):[-?]([^}]*)}", text)
    return {value.strip() for value in (*assigned, *inside) if value.strip()}


def test_production_refuses_the_values_of_the_examples():
    values = published_values()

    assert len(values) > 5
    for value in values:
        assert load({**PRODUCTION, "SECRET_KEY": value}).problems() != [], value


@pytest.mark.parametrize("value", ["", " "])
def test_production_demands_the_hosts_that_it_answers_to(value):
    (problem,) = load({**PRODUCTION, "TRUSTED_HOSTS": value}).problems()

    assert problem.startswith("TRUSTED_HOSTS is missing")


def test_an_image_is_production_unless_told_otherwise():
    assert "FLASK_ENV=production" in (ROOT / "Dockerfile").read_text("utf-8")


def test_production_refuses_sqlite_unless_told_so():
    on_sqlite = {**PRODUCTION, "DATABASE_URL": "sqlite:////srv/shop.db"}

    assert "ALLOW_SQLITE" in load(on_sqlite).problems()[0]
    assert load({**on_sqlite, "ALLOW_SQLITE": "true"}).problems() == []


def test_production_starts_on_good_settings_and_logs_in_json():
    settings = load(PRODUCTION)

    assert settings.problems() == []
    assert settings.LOG_FORMAT == "json"


def test_development_only_warns_of_a_short_secret():
    settings = load({"SECRET_KEY": "short"})

    assert settings.problems() == []
    assert settings.warnings() == ["SECRET_KEY is shorter than 32 bytes"]


def test_the_env_file_is_read_in_development_and_the_environment_wins(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "ROOT", tmp_path)
    (tmp_path / ".env").write_text("STORE_NAME=From the file\nPORT=5001\nHOST\n")
    monkeypatch.setenv("PORT", "5002")
    for name in ("FLASK_ENV", "STORE_NAME", "HOST"):
        monkeypatch.delenv(name, raising=False)

    settings = load()

    assert (settings.STORE_NAME, settings.PORT) == ("From the file", 5002)
    assert settings.HOST == "127.0.0.1"


@pytest.mark.parametrize("environment", ["testing", "production"])
def test_the_env_file_is_not_read_elsewhere(environment, tmp_path, monkeypatch):
    monkeypatch.setattr(config, "ROOT", tmp_path)
    (tmp_path / ".env").write_text("STORE_NAME=From the file\n")
    monkeypatch.setenv("FLASK_ENV", environment)
    monkeypatch.delenv("STORE_NAME", raising=False)

    assert load().STORE_NAME == "ShopSwift"


class Recorder(dict):
    """A mapping that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name, default=None):
        self.asked.add(name)
        return default


def test_the_example_describes_exactly_the_variables_that_are_read():
    environ = Recorder()
    load(environ)
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    compose = "".join(file.read_text("utf-8") for file in ROOT.glob("docker-compose*.yml"))
    release = (ROOT / "scripts/deploy/release-compose").read_text("utf-8")
    read = environ.asked | set(re.findall(r"\$\{([A-Z][A-Z0-9_]+)", compose))
    read |= set(re.findall(r"\$\(setting ([A-Z_]+)\)", release))

    assert set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE)) == read


REPLICA = "postgres://shop:pw@copy.example/shop"


def test_without_a_replica_there_is_one_engine():
    assert load({"DATABASE_URL": POSTGRES}).SQLALCHEMY_BINDS == {}


def test_a_replica_is_read_and_its_primary_watched():
    engines = load({"DATABASE_URL": POSTGRES, "DATABASE_REPLICA_URL": REPLICA}).SQLALCHEMY_BINDS

    assert engines["replica"]["url"] == "postgresql+psycopg2://shop:pw@copy.example/shop"
    assert engines["watched_primary"]["url"] == "postgresql+psycopg2://shop:pw@db.example/shop"
    assert engines["watched_primary"]["pool_size"] == 1


@pytest.mark.parametrize(
    ("primary", "replica", "why"),
    [
        ("sqlite:////tmp/shop.db", REPLICA, "needs PostgreSQL"),
        (POSTGRES, "sqlite:////tmp/copy.db", "needs PostgreSQL"),
        (POSTGRES, "mysql://copy.example/shop", "REPLICA_URL must start with"),
        (POSTGRES, "copy.example", "REPLICA_URL is not the URL"),
    ],
)
def test_a_replica_that_cannot_be_is_refused(primary, replica, why):
    with pytest.raises(ConfigurationError, match=why):
        load({"DATABASE_URL": primary, "DATABASE_REPLICA_URL": replica})


OWNER = "postgres://shop_owner:p%40ss@db.example/shop"


def test_the_owner_of_the_tables_has_one_connection_that_no_pooler_cuts_short():
    settings = load({"DATABASE_URL": POSTGRES, "DATABASE_OWNER_URL": OWNER,
                     "DATABASE_POOLER": "true"})  # fmt: skip

    owner = settings.SQLALCHEMY_BINDS["owner"]
    assert owner["url"] == settings.DATABASE_OWNER_URL
    assert owner["url"] == "postgresql+psycopg2://shop_owner:p%40ss@db.example/shop"
    assert owner["pool_size"] == 1
    assert "options" in owner["connect_args"]


@pytest.mark.parametrize(
    ("shop", "owner", "why"),
    [
        ("sqlite:////tmp/shop.db", OWNER, "SQLite has no roles"),
        (POSTGRES, "sqlite:////tmp/shop.db", "SQLite has no roles"),
        (POSTGRES, "mysql://db.example/shop", "OWNER_URL must start with"),
        (POSTGRES, "db.example", "OWNER_URL is not the URL"),
    ],
)
def test_an_owner_that_cannot_be_is_refused(shop, owner, why):
    with pytest.raises(ConfigurationError, match=why):
        load({"DATABASE_URL": shop, "DATABASE_OWNER_URL": owner})


@pytest.mark.parametrize("pooler", ["true", "false"])
def test_a_pooler_is_sent_no_settings(pooler):
    engines = load(
        {"DATABASE_URL": POSTGRES, "DATABASE_REPLICA_URL": REPLICA, "DATABASE_POOLER": pooler}
    )

    for options in (engines.SQLALCHEMY_ENGINE_OPTIONS, engines.SQLALCHEMY_BINDS["replica"]):
        assert ("options" in options["connect_args"]) is (pooler == "false")


def test_the_example_itself_can_be_copied_and_used(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "ROOT", tmp_path)
    (tmp_path / ".env").write_bytes((ROOT / ".env.example").read_bytes())
    for name in ("FLASK_ENV", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)

    assert isinstance(load(), Development)


PRODUCTION = {
    "FLASK_ENV": "production",
    "SECRET_KEY": "kD8fQ2mX7vL4pR9sT1wZ6yB3nH5jC0aG",
    "JWT_SECRET_KEY": "Zq7wE2rT9yU4iO1pA6sD3fG8hJ5kL0xC",
    "TRUSTED_HOSTS": ".shop.example,other.example",
    "DATABASE_URL": POSTGRES,
}


def test_links_in_mails_lead_to_the_first_host_in_production():
    settings = load(PRODUCTION)
    assert (settings.SHOP_URL, settings.MAIL_FROM) == (
        "https://shop.example", "shop@shop.example",
    )  # fmt: skip
    assert load({**PRODUCTION, "SHOP_URL": "https://www.shop.example/"}).SHOP_URL == (
        "https://www.shop.example"
    )
    assert load({"PORT": "5077"}).SHOP_URL == "http://localhost:5077"


def test_production_without_a_mail_server_is_warned_of():
    def has_warning(settings):
        return any("MAIL_URL" in line for line in settings.warnings())

    assert has_warning(load(PRODUCTION))
    assert not has_warning(load({**PRODUCTION, "MAIL_URL": "smtp://mail.shop.example"}))
    assert not has_warning(load({}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL_URL", "smtp://shop:secret@mail.example?starttls=no"), ("MAIL_URL", "mail.example"),
        ("MAIL_FROM", "nobody"), ("MAIL_FROM", "läden@shop.example"),
        ("SHOP_URL", "shop.example"), ("SHOP_URL", "https://shop.example/x"),
    ],
)  # fmt: skip
def test_settings_of_mail_that_make_no_sense_are_refused(name, value):
    with pytest.raises(ConfigurationError, match=name) as refusal:
        load({name: value})
    assert "secret" not in str(refusal.value)
