"""The shop with a cache that keeps nothing: what reads cost when they are not kept ready."""

from flask import Flask

from app import create_app
from app.config import Config, load


def uncached(settings: Config | None = None) -> Flask:
    """The shop, without what makes its second answer cheaper than the first."""
    settings = settings or load()
    settings.CACHE_TYPE, settings.CACHE_NO_NULL_WARNING = "NullCache", True
    return create_app(settings)
