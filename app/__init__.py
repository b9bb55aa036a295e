"""ShopSwift: an online shop's backend. `create_app` puts it together."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Request, Response
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import MapAdapter

from app import api, cli, config, extensions, pages, startup
from app.db import engines, replica
from app.db.unit_of_work import end_session
from app.domain.store_settings import StoreSettings
from app.gateways import mail, media, webhooks
from app.observability import logs, telemetry
from app.services.accounts import bulkhead
from app.services.cache.catalogue_cache import ProcessCache
from app.services.operations.store_service import ProcessSettings
from app.utils import error_handlers
from app.web import mails, request_lifecycle
from app.web.path_prefix import PathPrefix
from app.web.security_headers import FixedHeaders
from app.web.session_interface import VisitSessions
from app.web.strict_json import StrictJSONProvider

__version__ = "1.0.0"


class Shop(Flask):
    """Flask with the shop's sessions, and without work that no request here needs."""

    session_interface = VisitSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function: none here is async, which Flask checks a dozen times a request."""
        return func

    def make_default_options_response(self) -> Response:
        """The methods that a URL has, in alphabetical order; without a body, and so without a type."""
        response = super().make_default_options_response()
        response.headers["Allow"] = ", ".join(sorted(response.allow))
        del response.headers["Content-Type"]
        return response

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match a request's URL, and its host with TRUSTED_HOSTS.

        Health checks and scrapes with METRICS_TOKEN may use any host name. Their responses contain
        no links, so a forged Host header has no effect.
        """
        if request is None or not self._accepts_any_host(request.path):
            return super().create_url_adapter(request)
        return self.url_map.bind_to_environ(request.environ, subdomain="")

    def _accepts_any_host(self, path: str) -> bool:
        # Without the token a website could have a browser in this network read it (DNS rebinding).
        return path.startswith("/healthz/") or (
            path == "/metrics" and bool(self.config["METRICS_TOKEN"])
        )


def create_app(settings: config.Config | None = None, strict: bool = True) -> Flask:
    """Create the application, configured from the environment unless `settings` are given.

    With `strict=False` it is created in spite of problems with the settings, so that `flask doctor`
    can report them.

    Raises:
        ConfigurationError: the shop may not start with these settings; the message is one line.
    """
    settings = settings or config.load()
    app = Shop(__name__, instance_path=str(config.ROOT / "instance"))
    app.config.from_object(settings)
    app.extensions["settings"] = settings
    app.json = StrictJSONProvider(app)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # merging would redirect, to an HTML page
    if strict:
        _refuse_problems(settings)
    logs.configure(app)
    app.wsgi_app = FixedHeaders(app.wsgi_app)  # type: ignore[method-assign]
    _trust_proxies(app, app.config["TRUSTED_PROXIES"])
    _bind_extensions(app)
    defaults = _store_defaults(app.config)
    app.extensions["store"] = ProcessSettings(defaults, defaults.details)
    media.register(app)
    mail.register(app)
    webhooks.register(app)
    request_lifecycle.register(app)
    telemetry.register(app)
    error_handlers.register(app)
    api.register(app)
    pages.register(app)
    mails.register(app)
    cli.register(app)
    startup.make_database_folder(app)
    if strict:
        startup.refuse_other_currency(app)
        startup.record_low_stock(app)
        for warning in settings.warnings():
            logging.getLogger(__name__).warning("%s", warning)
    return app


def _store_defaults(settings: Mapping[str, Any]) -> StoreSettings:
    return StoreSettings(
        name=settings["STORE_NAME"],
        currency=settings["STORE_CURRENCY"],
        locale=settings["STORE_LOCALE"],
        payment_methods=tuple(settings["PAYMENT_METHODS"]),
    )


def _refuse_problems(settings: config.Config) -> None:
    problems = settings.problems()
    if problems:
        raise config.ConfigurationError("; ".join(problems) + ".")


def _trust_proxies(app: Flask, hops: int) -> None:
    # A proxy that does not set X-Forwarded-Host passes on the client's: without TRUSTED_HOSTS, with
    # which the routing compares it, it could be any.
    if hops:
        host = hops if app.config["TRUSTED_HOSTS"] else 0
        app.wsgi_app = PathPrefix(app.wsgi_app)  # type: ignore[method-assign]
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=host, x_prefix=hops
        )


def _create_engines(app: Flask) -> None:
    database = extensions.db
    database.init_app(app)
    with app.app_context():
        for engine in database.engines.values():
            engines.install(engine)
        app.extensions["read_engine"] = engines.read_engine(database.engine)
        app.extensions["replica"] = replica.from_engines(database.engines)


def _bind_extensions(app: Flask) -> None:
    _create_engines(app)
    app.teardown_appcontext(end_session)  # before the extension's own, which would raise
    extensions.migrate.init_app(app, extensions.db, directory=str(config.ROOT / "migrations"))
    extensions.jwt.init_app(app)
    extensions.bcrypt.init_app(app)
    app.extensions["password_bulkhead"] = bulkhead.from_settings(app.config)
    extensions.cache.init_app(app)
    app.extensions["catalogue_cache"] = ProcessCache()
