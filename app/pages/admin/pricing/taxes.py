"""Tax rates for staff: the list, a form for each, and sets of rates to start with."""

from typing import Any, cast

from flask import Response, flash, request, url_for
from marshmallow import Schema

from app.domain.pricing.percent import percent_text
from app.domain.pricing.starter_rates import AS_OF, STARTER_SETS
from app.errors import NotFound
from app.models import TaxRate
from app.pages.admin.base import (
    AdminBlueprint,
    admin_form,
    admin_page,
    once,
    page_href,
    read_query,
)
from app.pages.blueprint import see_other
from app.pages.formats import plain_amount, written_amount
from app.pages.forms import Form
from app.schemas.paging import PageArgs
from app.schemas.taxes import TaxRateSchema
from app.services.pricing import tax_rates
from app.services.pricing.tax_rates import TaxRateInput
from app.web.callers.identity import current_actor

blp = AdminBlueprint("settings_taxes", __name__, url_prefix="/admin/settings/taxes")
RATE, ARGS = TaxRateSchema(), PageArgs()
FIELDS = ("name", "country", "region", "tax_class")


class TaxRateForm(Form):
    """A tax rate. Without a class it is the standard rate; the percentage is written as in the locale."""

    @classmethod
    def of(cls, rate: TaxRate) -> "TaxRateForm":
        """The form filled in with a rate."""
        values: dict[str, object] = {name: getattr(rate, name) for name in FIELDS}
        values["rate"] = written_amount(percent_text(rate.rate))
        return cls({**values, "is_active": "1" if rate.is_active else ""})

    def _load(self, schema: Schema) -> dict[str, Any]:
        body = {
            **{name: self.value(name) for name in ("name", "country", "region")},
            "tax_class": self.value("tax_class").strip() or "standard",
            "rate": plain_amount(self.value("rate").strip().removesuffix("%").rstrip()),
            "is_active": bool(self.value("is_active")),
        }
        return self._read(schema, body)


@blp.get("")
def list_rates() -> Response:
    """The rates by country, and the sets that can be added."""
    args = read_query(ARGS)
    results = tax_rates.page_of_rates(args["page"], args["per_page"])
    return admin_page(
        "tax_rates.html", results=results, page_href=page_href(ARGS), sets=STARTER_SETS, as_of=AS_OF
    )


@blp.post("/starter-set")
def add_starter_set() -> Response:
    """Add the rates of a set that the shop does not have yet."""
    actor, counts = current_actor(), list[int]()
    starter = next((one for one in STARTER_SETS if one.key == request.form.get("set")), None)
    if starter is None:
        raise NotFound("set of rates")

    def work() -> None:
        counts[:] = [tax_rates.add_starter_set(actor, starter)]

    once(work)
    if counts:
        flash(
            f"{counts[0]} rates are added. Check them: which goods bear which rate is yours to say."
        )
    return see_other(url_for(".list_rates"))


@blp.get("/new")
def show_new() -> Response:
    """The form for another rate."""
    return _page(TaxRateForm({"is_active": "1"}))


@blp.post("/new")
def create() -> Response:
    """Add a rate."""
    actor, form = current_actor(), TaxRateForm.from_request()

    def save(fields: dict[str, Any]) -> int:
        return once(lambda: tax_rates.create_rate(actor, cast(TaxRateInput, fields)).id)

    return _page(form) if form.carry_out(RATE, save) is None else _done("The rate is added.")


@blp.get("/<int:rate_id>")
def show_rate(rate_id: int) -> Response:
    """A rate, to be changed."""
    return _page(TaxRateForm.of(tax_rates.get_rate(rate_id)), rate_id)


@blp.post("/<int:rate_id>")
def change(rate_id: int) -> Response:
    """Change a rate."""
    actor, form = current_actor(), TaxRateForm.from_request()

    def save(fields: dict[str, Any]) -> int:
        return once(lambda: tax_rates.edit_rate(actor, rate_id, cast(TaxRateInput, fields)).id)

    if form.carry_out(RATE, save) is None:
        return _page(form, rate_id)
    return _done("The rate is saved. Orders keep the tax that they were placed with.")


@blp.post("/<int:rate_id>/delete")
def delete(rate_id: int) -> Response:
    """Remove a rate."""
    actor = current_actor()
    once(lambda: tax_rates.delete_rate(actor, rate_id))
    return _done("The rate is deleted.")


def _page(form: Form, rate_id: int | None = None) -> Response:
    return admin_form("tax_rate.html", form, rate_id=rate_id)


def _done(message: str) -> Response:
    flash(message)
    return see_other(url_for(".list_rates"))
