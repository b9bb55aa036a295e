"""Routes of the shop's settings: everybody sees some, staff see and change all."""

from flask import Response

from app.db.unit_of_work import in_transaction
from app.domain.people.actor import Actor
from app.domain.store_settings import StoreSettings
from app.schemas.settings import SettingsSchema, show_settings
from app.services.cache.catalogue_cache import Answer
from app.services.operations import store_service
from app.services.operations.store_service import SettingsInput
from app.utils.decorators import admin_required
from app.web.answers import answer, send
from app.web.blueprints import ShopBlueprint, takes_if_match
from app.web.callers.identity import current_actor
from app.web.preconditions import current_precondition

blp = ShopBlueprint("settings", __name__, url_prefix="/api/settings")
CHANGES = SettingsSchema(partial=True)


@blp.get("")
@blp.response(200, SettingsSchema)
def get_settings() -> Response:
    """The shop's name, currency, locale, country and ways to pay; staff see all settings."""
    return send(_answer(store_service.settings(), current_actor()))


@blp.route("", methods=["PATCH", "PUT"])
@takes_if_match
@admin_required
@blp.arguments(CHANGES)
@blp.response(200, SettingsSchema)
def change_settings(changes: SettingsInput) -> Response:
    """Change the settings that are sent. Orders keep what held when they were placed."""
    actor, condition = current_actor(), current_precondition()
    settings = in_transaction(lambda: store_service.update_settings(actor, changes, condition))
    return send(_answer(settings, actor))


def _answer(settings: StoreSettings, actor: Actor) -> Answer:
    view = show_settings(settings, actor.is_admin)
    return answer(view, tag_prefix=f"{settings.version}-")
