"""The stock of a product: a form to correct it, and the ledger of every change."""

from typing import Any

from flask import Response, flash, url_for
from marshmallow import Schema

from app.db.paging import MAX_DEPTH
from app.errors import ShopError
from app.pages.admin.base import AdminBlueprint, admin_form, once, page_href, read_query
from app.pages.blueprint import see_other
from app.pages.forms import Form, parse_whole
from app.schemas.stock import LedgerArgs, StockChangeSchema
from app.services.catalogue import product_queries
from app.services.inventory import stock_service
from app.web.callers.identity import current_actor

blp = AdminBlueprint("products_stock", __name__, url_prefix="/admin/products/<product>/stock")
CHANGE, LEDGER = StockChangeSchema(), LedgerArgs(only=["page", "variant_id"])
MODES = ("delta", "on_hand")
SEEN = "seen-"
PER_PAGE = 25
LAST_PAGE = MAX_DEPTH // PER_PAGE


class StockForm(Form):
    """A correction: `number` is the difference or the count, as `way` says, and `seen-<variant>`
    is what was on hand when the page was rendered."""

    @property
    def on_hand_before(self) -> dict[int, int]:
        """What was on hand when the page was rendered, by variant."""
        pairs = (
            (parse_whole(name.removeprefix(SEEN)), parse_whole(self.value(name)))
            for name in self.values
        )
        return {name: count for name, count in pairs
                if isinstance(name, int) and isinstance(count, int)}  # fmt: skip

    def show_refusal(self, refusal: ShopError) -> None:
        """Keep a refusal; either way it is about the number."""
        super().show_refusal(refusal)
        self.errors = {
            "number" if name in MODES else name: words for name, words in self.errors.items()
        }
        if self.code == "stock_changed":
            self.problem += " Nothing was changed: look at the figures, and send it again."

    def _load(self, schema: Schema) -> dict[str, Any]:
        mode = "on_hand" if self.value("way") == "on_hand" else "delta"
        body = {"reason": self.value("reason"), mode: parse_whole(self.value("number"))}
        if self.value("variant_id"):
            body["variant_id"] = parse_whole(self.value("variant_id"))
        return self._read(schema, body)


@blp.get("")
def show(product: str) -> Response:
    """The stock of each variant, and the newest movements of the ledger."""
    return _page(product, Form())


@blp.post("")
def change(product: str) -> Response:
    """Correct what is on hand, unless it has changed since the page was rendered, so that two
    people who count the same delivery do not add it twice."""
    actor, form = current_actor(), StockForm.from_request()

    def save(fields: dict[str, Any]) -> int:
        fields["expected"] = form.on_hand_before
        return once(lambda: stock_service.change_stock(actor, product, **fields).id)

    variant_id = form.carry_out(CHANGE, save)
    if variant_id is None:
        return _page(product, form)
    row = product_queries.get_product(actor, product)
    variant = next(variant for variant in row.variants if variant.id == variant_id)
    flash(f"{variant.on_hand} of {variant.sku} are on hand now.")
    return see_other(url_for(".show", product=product))


def _page(product: str, form: Form) -> Response:
    row = product_queries.get_product(current_actor(), product)
    query = read_query(LEDGER)
    number, variant_id = min(query["page"], LAST_PAGE), query["variant_id"]
    ledger = stock_service.list_movements(product, number, PER_PAGE, variant_id)
    skus = {variant.id: variant.sku for variant in row.variants}
    return admin_form(
        "product_stock.html", form, product=row, ledger=ledger, skus=skus, variant_id=variant_id,
        page_href=page_href(LEDGER),
    )  # fmt: skip
