"""Product lists that are imported while orders and corrections change the same stock."""

import tempfile
from pathlib import Path

from tests.reliability.scenes.lane import Lane, Unheard, needed
from tests.reliability.scenes.meetings.hold import PRODUCT, VARIANT, hold
from tests.reliability.scenes.meetings.orders import figures
from tests.reliability.scenes.stage import rows
from tests.reliability.world import Article

SKU = "SELECT sku FROM variants WHERE id = :id"
BOOKED = "SELECT sum(on_hand_delta) FROM stock_movements WHERE variant_id = :id"
IMPORTED = 500
SECONDS_TO_START = 60
"""For a command."""


def promised_stock_is_not_imported_away(lane: Lane) -> str | None:
    """A list says that there is less than orders were promised: its row is refused."""
    needed(lane.ann.add_item(lane.rare.variant_id, 1))
    needed(lane.checkout(lane.ann)())

    told = _import(lane, lane.rare, 0)

    found = figures(lane, lane.rare)
    return None if found == (1, 1) and "promised" in told else f"{found} came of it: {told}"


def counted_while_imported(lane: Lane) -> str | None:
    """Staff add to the stock that a list is about to set: the ledger has both, and adds up."""
    one = lane.one
    with hold(lane, PRODUCT, id=one.product_id) as first:
        imported = first.send(lambda: _import(lane, one, IMPORTED), SECONDS_TO_START)
        with hold(lane, VARIANT, id=one.variant_id) as held:
            counted = held.send(lambda: lane.staff.adjust_stock(one.product_id, one.variant_id, 5))
            first.let_go()
            held.await_all()
            held.let_go()
            needed(counted.result())
            imported.result()

    ((booked,),) = rows(lane.stage.setting, BOOKED, id=one.variant_id)
    found = (figures(lane, one)[0], int(booked))
    if lane.stage.facts.on_hand[one.variant_id] + 5 in found:
        raise Unheard  # the import gave up waiting
    right = [(stock, stock) for stock in (IMPORTED, IMPORTED + 5)]
    return None if found in right else f"on hand and its ledger are {found}"


def _import(lane: Lane, article: Article, stock: int) -> str:
    """What the command says of a list of one row."""
    ((sku,),) = rows(lane.stage.setting, SKU, id=article.variant_id)
    with tempfile.TemporaryDirectory(prefix="shopswift-list-") as folder:
        file = Path(folder) / "list.csv"
        file.write_text(f"sku,name,price,stock\n{sku},Thing,5.00,{stock}\n")
        return str(lane.stage.setting.flask("import-products", str(file)).output)


MEETINGS = (promised_stock_is_not_imported_away, counted_while_imported)
