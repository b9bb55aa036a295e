"""What a check remembers between two batches is read by servers of two releases."""

from app.services.imports.import_jobs import _restore, _store_variant
from tests.integration.people import inside

STORED = {
    "id": 7, "sku": "MUG-1", "price": 1250, "on_hand": 3, "allocated": 1, "is_active": True,
    "sheet": {
        "id": 4, "name": "Mug", "description": "Blue", "category_id": 2, "compare_at_price": None,
        "version": 5, "single": False,
    },
}  # fmt: skip


def test_a_variant_is_stored_as_the_previous_release_reads_it(app):
    dry_run = inside(app, _restore, {"articles": {"MUG-1": STORED}, "planned": [["Cups"]]})

    assert dry_run.variants["MUG-1"].values == (1250, 3, ("Mug", "Blue", 2, None))
    assert _store_variant(dry_run.variants["MUG-1"]) == STORED
