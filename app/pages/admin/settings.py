"""The shop's settings for staff, and the reminder of what mail and invoices still need."""

from dataclasses import asdict
from typing import Any, cast

from flask import Response, flash, url_for
from marshmallow import Schema

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.conditions import at_version
from app.domain.store_settings import StoreSettings
from app.errors import Invalid
from app.pages.admin.base import AdminBlueprint, admin_form, once
from app.pages.blueprint import see_other
from app.pages.forms import EMPTY, Form, parse_whole
from app.schemas.settings import SettingsSchema
from app.services.operations import store_service
from app.services.operations.store_service import SettingsInput
from app.web.callers.identity import current_actor

blp = AdminBlueprint("settings", __name__, url_prefix="/admin/settings")
CHANGES = SettingsSchema(partial=True)
TEXTS = ("legal_name", "email", "country", "vat_id")
PERIODS = ("hold_minutes", "prepayment_days", "return_days", "invoice_days")
ADDRESS = ("name", "line1", "line2", "postal_code", "city", "region", "phone")
LABELS = {
    "legal_name": "the legal name",
    "email": "the email address",
    "address": "the address",
    "country": "the country",
    "vat_id": "the VAT id",
}
CONFLICT = (
    "Somebody has changed the settings since you opened this page, so nothing was saved. What you wrote"
    " is still here: saved again, it takes the place of theirs."
)


class SettingsForm(Form):
    """All settings. An empty text removes a setting; an address without any line is none."""

    @classmethod
    def of(cls, settings: StoreSettings) -> "SettingsForm":
        """The form filled in with the settings."""
        values: dict[str, object] = {**vars(settings)}
        address = asdict(settings.address) if settings.address else {}
        values |= {f"address.{name}": line for name, line in address.items()}
        return cls(values)

    def _load(self, schema: Schema) -> dict[str, Any]:
        try:
            return self._read(schema, self._body())
        except Invalid as refusal:
            for name in refusal.extra["errors"]:
                if not self.value(name).strip():
                    refusal.extra["errors"][name] = [EMPTY]
            raise

    def _body(self) -> dict[str, object]:
        lines = {name: self.value(f"address.{name}").strip() for name in ADDRESS}
        return {
            "name": self.value("name"),
            **{name: self.value(name).strip() or None for name in TEXTS},
            "address": lines if any(lines.values()) else None,
            "prices_include_tax": bool(self.value("prices_include_tax")),
            **{name: parse_whole(self.value(name)) for name in PERIODS},
        }


@blp.get("")
def show() -> Response:
    """The settings, to be changed."""
    settings = store_service.settings()
    return _page(SettingsForm.of(settings), settings)


@blp.post("")
def change() -> Response:
    """Change the settings."""
    actor, form = current_actor(), SettingsForm.from_request()

    def save(fields: dict[str, Any]) -> int:
        changes, version = cast(SettingsInput, fields), at_version(form.value("version"))
        return once(lambda: store_service.update_settings(actor, changes, version).version)

    if form.carry_out(CHANGES, save) is None:
        settings = store_service.settings()
        if form.code == "precondition_failed":
            form.problem, form.values["version"] = CONFLICT, settings.version
        return _page(form, settings)
    flash("The settings are saved.")
    return see_other(url_for(".show"))


@blp.post("/later")
def postpone() -> Response:
    """Do not ask for what is missing for some weeks."""
    in_transaction(lambda: store_service.postpone_setup(utc_now()))
    flash("You are reminded of the settings in 30 days.")
    return see_other(url_for("admin_dashboard.show"))


def missing_settings() -> list[str]:
    """What staff are to be asked for, in words; empty where nothing is missing or it was put off."""
    settings = store_service.settings()
    if not settings.asks_for_setup(utc_now()):
        return []
    return [LABELS[name] for name in settings.missing]


def _page(form: Form, settings: StoreSettings) -> Response:
    return admin_form("settings.html", form, settings=settings)
