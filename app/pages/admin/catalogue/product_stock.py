"""The stock of a product: what is there, corrected by hand, and the ledger of every change."""

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
WAYS = ("delta", "on_hand")
SEEN = "seen-"
PER_PAGE = 25
LAST_PAGE = MAX_DEPTH // PER_PAGE


class StockForm(Form):
    """A correction: `number` is the difference or the count, as `way` says, and `seen-<variant>`
    is what was on hand when the page was drawn."""

    @property
    def seen(self) -> dict[int, int]:
        """What was on hand, by variant."""
        pairs = (
            (parse_whole(name.removeprefix(SEEN)), parse_whole(self.value(name)))
            for name in self.values
        )
        return {name: count for name, count in pairs
                if isinstance(name, int) and isinstance(count, int)}  # fmt: skip

    def show_refusal(self, refusal: ShopError) -> None:
        """Keep a refusal; of either way it is the number that is wrong."""
        super().show_refusal(refusal)
        self.errors = {
            "number" if name in WAYS else name: words for name, words in self.errors.items()
        }
        if self.code == "stock_changed":
            self.problem += " Nothing was changed: look at the figures, and send it again."

    def _load(self, schema: Schema) -> dict[str, Any]:
        way = "on_hand" if self.value("way") == "on_hand" else "delta"
        body = {"reason": self.value("reason"), way: parse_whole(self.value("number"))}
        if self.value("variant_id"):
            body["variant_id"] = parse_whole(self.value("variant_id"))
        return self._read(schema, body)


@blp.get("")
def show(product: str) -> Response:
    """What is on hand, promised and left of each variant, and the newest of the ledger."""
    return _page(product, Form())


@blp.post("")
def change(product: str) -> Response:
    """Correct what is on hand, unless it is no longer what was seen: two who count the same
    delivery do not add it twice."""
    actor, form = current_actor(), StockForm.from_request()
    changed_id = form.carry_out(
        CHANGE,
        lambda wishes: once(
            lambda: stock_service.change_stock(actor, product, **wishes, seen=form.seen).id
        ),
    )
    if changed_id is None:
        return _page(product, form)
    found = product_queries.get_product(actor, product)
    changed = next(variant for variant in found.variants if variant.id == changed_id)
    flash(f"{changed.on_hand} of {changed.sku} are on hand now.")
    return see_other(url_for(".show", product=product))


def _page(product: str, form: Form) -> Response:
    found = product_queries.get_product(current_actor(), product)
    asked = read_query(LEDGER)
    number, chosen = min(asked["page"], LAST_PAGE), asked["variant_id"]
    ledger = stock_service.list_movements(product, number, PER_PAGE, chosen)
    skus = {variant.id: variant.sku for variant in found.variants}
    return admin_form(
        "product_stock.html", form, product=found, ledger=ledger, skus=skus, chosen=chosen,
        page_href=page_href(LEDGER),
    )  # fmt: skip
