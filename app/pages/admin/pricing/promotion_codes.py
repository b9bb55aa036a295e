"""The codes of a promotion for staff: added one by one or in bulk, and downloaded as a file."""

from typing import Any

from flask import Response, flash, request, url_for
from marshmallow import Schema

from app.db.unit_of_work import in_transaction
from app.domain.text import NotText
from app.errors import Invalid, NotFound
from app.pages.admin.base import AdminBlueprint, once
from app.pages.blueprint import see_other
from app.pages.downloads import csv_file
from app.pages.forms import Form, parse_optional_whole, parse_whole
from app.schemas.promotions import NewCodesSchema
from app.services.audit import security_log
from app.services.pricing import promotion_codes, promotion_service
from app.web.callers.identity import current_actor

blp = AdminBlueprint(
    "promotion_codes", __name__, url_prefix="/admin/promotions/<int:promotion_id>/codes"
)
NEW_CODES = NewCodesSchema()


class CodesForm(Form):
    """One code as it is written, or a number of codes that nobody can guess."""

    def _load(self, schema: Schema) -> dict[str, Any]:
        body: dict[str, object] = {"limit_total": parse_optional_whole(self.value("limit_total"))}
        if self.value("count").strip():
            body |= {"count": parse_whole(self.value("count")), "prefix": self.value("prefix")}
        if self.value("code").strip():
            body["code"] = self.value("code")
        return self._read(schema, body)


@blp.post("")
def add(promotion_id: int) -> Response:
    """Add codes."""
    actor, form = current_actor(), CodesForm.from_request()

    def save(fields: dict[str, Any]) -> int:
        def work() -> None:
            limit = fields["limit_total"]
            if "code" in fields:
                promotion_codes.add_code(actor, promotion_id, fields["code"], limit)
                return
            prefix = fields.get("prefix", "")
            try:
                promotion_codes.generate(
                    actor, promotion_id, fields["count"], prefix, fields["length"], limit
                )
            except NotText as error:
                raise Invalid({"prefix": [str(error)]}) from None

        once(work)
        return promotion_id

    if form.carry_out(NEW_CODES, save) is None:
        flash(next((texts[0] for texts in form.errors.values()), form.problem), "error")
    else:
        flash("The codes are added.")
    return see_other(_address(promotion_id))


@blp.post("/remove")
def remove(promotion_id: int) -> Response:
    """Withdraw a code."""
    actor = current_actor()
    code = request.form.get("code_id", "")
    try:
        once(lambda: promotion_codes.remove_code(actor, promotion_id, code))
    except NotFound:
        flash("This code is withdrawn already.", "error")
    else:
        flash("The code is withdrawn.")
    return see_other(_address(promotion_id))


@blp.get("/export.csv")
def download(promotion_id: int) -> Response:
    """All codes with their uses, as a file."""
    actor = current_actor()
    promotion_service.get_promotion(promotion_id)
    codes = promotion_codes.iterate_codes(promotion_id)
    in_transaction(lambda: security_log.record_of(actor, security_log.EXPORTED, "promotion codes"))
    rows = ((code.code, code.limit_total or "", code.used) for code in codes)
    return csv_file(f"codes-{promotion_id}.csv", ("code", "limit_total", "used"), rows)


def _address(promotion_id: int) -> str:
    return url_for("admin_promotions.show_promotion", promotion_id=promotion_id, _anchor="codes")
