"""The shop with a cache that keeps nothing: what reads cost when they are not kept ready."""

from app import create_app
from app.config import load

settings = load()
settings.CACHE_TYPE = "NullCache"
app = create_app(settings)
