"""Product lists: batches of rows that create or update variants by SKU, each by one row."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from app.db.bulk import among, refresh_statistics, update_rows
from app.domain.catalogue.csv_rows import BadRow, ImportRow
from app.domain.catalogue.listing import listing_columns
from app.domain.changes import Changes, differences
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.domain.text import make_slug, with_suffix
from app.extensions import db
from app.models import Category, Product, Variant
from app.services.audit import trail
from app.services.cache import catalogue_cache
from app.services.catalogue import category_paths, search_keys
from app.services.catalogue.bulk_catalogue import (
    NewProduct,
    NewVariant,
    VariantChange,
    add_products,
    change_variants,
)
from app.services.catalogue.category_paths import CategoryPaths
from app.services.imports import import_state
from app.services.imports.import_state import RowRefused, VariantState, VariantValues

REASON = "import"
IMPORTED = "product.imported"
REFERENCE = "import"
"""The field of an audit event that says to which import it belongs."""
_PRODUCT_COLUMNS = (
    "name", "description", "category_id", "compare_at_price", "tax_class", "requires_shipping",
    "version", "updated_at", "price", "name_key", "search_title", "search_body",
)  # fmt: skip


@dataclass
class Outcome:
    """What became of some rows: how many did what, and which were refused.

    `ignored` counts by column the rows in which it was ignored, as `apply_row` says.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    categories: int = 0
    refusals: list[BadRow] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Outcome") -> None:
        """Add the outcome of more rows."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.categories += other.categories
        self.refusals += other.refusals
        self.ignored += other.ignored


RowHandler = Callable[[Sequence[ImportRow]], Outcome]


@dataclass(frozen=True)
class Sample:
    """What a row would do: the fields that would differ, as `import_state.by_column` has them."""

    line: int
    sku: str
    is_new: bool
    changes: Changes


@dataclass
class DryRun:
    """What a dry run remembers from batch to batch, since it writes nothing.

    It keeps a sample of each row that would change something, up to `max_samples`.
    """

    tree: CategoryPaths | None = None
    max_samples: int = 0
    samples: list[Sample] = field(default_factory=list)


@dataclass
class _Batch:
    variants: dict[str, VariantState]
    tree: CategoryPaths
    dry_run: DryRun | None = None
    outcome: Outcome = field(default_factory=Outcome)

    def apply(self, row: ImportRow) -> None:
        """Apply a row to the variants in memory, and count what it did."""
        existing = self.variants.get(row.sku)
        variant = existing or import_state.new_variant(row)
        before = variant.values
        try:
            self.outcome.ignored.update(import_state.apply_row(row, variant, self.tree))
        except RowRefused as refusal:
            self.outcome.refusals.append(BadRow(row.line, str(refusal)))
            return
        self.variants[row.sku] = variant
        if existing and variant.values == before:
            self.outcome.unchanged += 1
            return
        self.outcome.created += existing is None
        self.outcome.updated += existing is not None
        if self.dry_run and len(self.dry_run.samples) < self.dry_run.max_samples:
            sample = self._sample(row, before if existing else None, variant.values)
            self.dry_run.samples.append(sample)

    def _sample(self, row: ImportRow, before: VariantValues | None, after: VariantValues) -> Sample:
        old = {} if before is None else import_state.by_column(before, self.tree)
        changes = differences(old, import_state.by_column(after, self.tree))
        changes = {
            name: pair for name, pair in changes.items() if any(v not in (None, "") for v in pair)
        }
        return Sample(row.line, row.sku, before is None, changes)


def handle_rows(rows: Sequence[ImportRow | BadRow], handler: RowHandler) -> Outcome:
    """The outcome of `handler` for the rows that can be read, with the bad rows among the refusals,
    in the order of their lines."""
    good = [row for row in rows if isinstance(row, ImportRow)]
    outcome = handler(good) if good else Outcome()
    outcome.refusals += [row for row in rows if isinstance(row, BadRow)]
    outcome.refusals.sort(key=lambda row: row.line)
    return outcome


def import_rows(actor: Actor, rows: Sequence[ImportRow], reference: str) -> Outcome:
    """Import a batch in a constant number of statements, its rows locked in the order of their ids.

    No two rows have the same SKU. The audit trail keeps the import's `reference` with what changed, so
    that `import_undo` finds it.
    """
    skus = sorted(row.sku for row in rows)
    batch = _Batch(import_state.load(skus, lock=True), category_paths.load())
    before = {sku: variant.values for sku, variant in batch.variants.items()}
    for row in rows:
        batch.apply(row)
    _create_categories(actor, batch)
    now = utc_now()
    variants = batch.variants.values()
    _create_products([variant for variant in variants if variant.id is None], now)
    changed = [v for v in variants if v.id is not None and v.values != before[v.sku]]
    write_changes(changed, before, now)
    changes_of = changes_by_product(changed, before, reference)
    if batch.outcome.created:
        changes_of[None] = {
            "products": [None, batch.outcome.created], REFERENCE: [None, reference]
        }  # fmt: skip
    trail.record_many(actor, IMPORTED, changes_of)
    catalogue_cache.invalidate_catalogue()
    return batch.outcome


def update_statistics() -> None:
    """Refresh the database's statistics after many rows came in, or it plans for the few before."""
    refresh_statistics(Product, Variant, Category)


def preview_rows(rows: Sequence[ImportRow], dry_run: DryRun) -> Outcome:
    """What `import_rows` would do. Changes nothing and takes no locks."""
    skus = sorted(row.sku for row in rows)
    tree = dry_run.tree = dry_run.tree or category_paths.load()
    new_before = len(tree.new)
    batch = _Batch(import_state.load(skus, lock=False), tree, dry_run)
    for row in rows:
        batch.apply(row)
    batch.outcome.categories = len(tree.new) - new_before
    return batch.outcome


def _create_categories(actor: Actor, batch: _Batch) -> None:
    ids = category_paths.create_new(actor, batch.tree)
    batch.outcome.categories = len(ids)
    for variant in batch.variants.values() if ids else ():
        product = variant.product
        if product.values.category_id in ids:
            category_id = ids[product.values.category_id]
            product.values = product.values._replace(category_id=category_id)


def _create_products(variants: Sequence[VariantState], now: datetime) -> None:
    values = [variant.product.values for variant in variants]
    slugs = _free_slugs([product.name for product in values])
    products = [
        NewProduct(
            name=product.name,
            slug=slug,
            variants=[
                NewVariant(variant.sku, variant.price, variant.on_hand, weight=variant.weight)
            ],
            created_at=now,
            description=product.description,
            category_id=product.category_id,
            compare_at_price=product.compare_at_price,
            tax_class=product.tax_class,
            requires_shipping=product.requires_shipping,
        )
        for variant, product, slug in zip(variants, values, slugs, strict=True)
    ]
    if products:
        add_products(products, REASON)


def _free_slugs(names: Sequence[str]) -> list[str]:
    slugs = [make_slug(name, "product") for name in names]
    query = select(Product.slug).where(
        among(Product.slug, sorted(set(slugs))), Product.deleted_at.is_(None)
    )
    used = set(db.session.scalars(query)) if slugs else set()
    for place, slug in enumerate(slugs):
        while slug in used:
            slug = with_suffix(slug)
        used.add(slug)
        slugs[place] = slug
    return slugs


def write_changes(
    variants: Sequence[VariantState], before: Mapping[str, VariantValues], now: datetime
) -> None:
    """Write variants that differ from their values `before`, by SKU; their rows are locked."""
    changes, products = [], {}
    for variant in variants:
        old, new = before[variant.sku], variant.values
        if new[:3] != old[:3]:
            delta = new.on_hand - old.on_hand
            changes.append(VariantChange(variant.id or 0, *new[:3], delta))
        product = variant.product
        if product.id and new._replace(on_hand=0) != old._replace(on_hand=0):
            products[product.id] = product
    change_variants(changes, REASON, now)
    offers = search_keys.offers_of(list(products)) if products else {}
    rows = []
    for product_id, product in products.items():
        columns = listing_columns(
            product.values.name, product.values.description, offers[product_id]
        )
        rows.append((product_id, *product.values, product.version + 1, now, *columns))
    update_rows(Product, _PRODUCT_COLUMNS, rows)


def changes_by_product(
    variants: Sequence[VariantState], before: Mapping[str, VariantValues], reference: str
) -> dict[int | None, Changes]:
    """What the audit trail records of variants that differ from their values `before`."""
    changes_of: dict[int | None, Changes] = {}
    for variant in variants:
        old = variant.audit_state(before[variant.sku])
        changes = changes_of.setdefault(variant.product.id, {})
        changes |= differences(old, variant.audit_state(variant.values))
    for changes in changes_of.values():
        changes[REFERENCE] = [None, reference]
    return changes_of
