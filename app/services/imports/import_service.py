"""Product lists taken in, a batch of rows at a time: upserts by SKU, in the order of the rows."""

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
from app.services.catalogue import category_paths
from app.services.catalogue.bulk_catalogue import (
    NewProduct,
    NewVariant,
    VariantChange,
    add_products,
    change_variants,
)
from app.services.catalogue.category_paths import CategoryPaths
from app.services.imports import import_articles
from app.services.imports.import_articles import Article, Facts, RowRefused

REASON = "import"
IMPORTED = "product.imported"
REFERENCE = "import"
"""The field of an audit event that says to which import it belongs."""
_EDITED = (
    "name", "description", "category_id", "compare_at_price", "version", "updated_at",
    "price", "name_key", "search_title", "search_body",
)  # fmt: skip


@dataclass
class Outcome:
    """What became of some rows; `refused` names those that did not go in, and `stayed` counts by
    column what rows did not change, since it is not their variant's alone."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    categories: int = 0
    refused: list[BadRow] = field(default_factory=list)
    stayed: Counter[str] = field(default_factory=Counter)

    def add(self, done: "Outcome") -> None:
        """Count what became of more rows."""
        self.created += done.created
        self.updated += done.updated
        self.unchanged += done.unchanged
        self.categories += done.categories
        self.refused += done.refused
        self.stayed += done.stayed


Work = Callable[[Sequence[ImportRow]], Outcome]


@dataclass(frozen=True)
class Sample:
    """What a row would do: the fields that would differ, as `import_articles.told` has them."""

    line: int
    sku: str
    is_new: bool
    changes: Changes


@dataclass
class Rehearsal:
    """What a dry run remembers from batch to batch, since nothing of it is written.

    It shows what the first rows would do, as long as there is `room`.
    """

    articles: dict[str, Article] = field(default_factory=dict)
    tree: CategoryPaths | None = None
    room: int = 0
    samples: list[Sample] = field(default_factory=list)

    def note(self, row: ImportRow, before: Facts | None, after: Facts, tree: CategoryPaths) -> None:
        """Keep what a row would do."""
        if len(self.samples) < self.room:
            old = {} if before is None else import_articles.told(before, tree)
            changes = differences(old, import_articles.told(after, tree))
            told = {name: pair for name, pair in changes.items() if any(map(_says, pair))}
            self.samples.append(Sample(row.line, row.sku, before is None, told))


@dataclass
class _Batch:
    articles: dict[str, Article]
    tree: CategoryPaths
    outcome: Outcome = field(default_factory=Outcome)
    before: dict[str, Facts] = field(default_factory=dict)
    rehearsal: Rehearsal | None = None

    def take(self, row: ImportRow) -> None:
        """Apply a row to what is known, and count what it did."""
        known = self.articles.get(row.sku)
        article = known or import_articles.new_article(row)
        before = article.facts
        try:
            self.outcome.stayed.update(import_articles.apply(row, article, self.tree))
        except RowRefused as refusal:
            self.outcome.refused.append(BadRow(row.line, str(refusal)))
            return
        self.articles[row.sku] = article
        if known is not None and article.facts == before:
            self.outcome.unchanged += 1
            return
        self.outcome.created += known is None
        self.outcome.updated += known is not None
        if self.rehearsal:
            self.rehearsal.note(row, before if known else None, article.facts, self.tree)


def sort_out(rows: Sequence[ImportRow | BadRow], work: Work) -> Outcome:
    """What `work` makes of the rows that can be read; the others are refused along with its own,
    in the order of their lines."""
    good = [row for row in rows if isinstance(row, ImportRow)]
    outcome = work(good) if good else Outcome()
    outcome.refused += [row for row in rows if isinstance(row, BadRow)]
    outcome.refused.sort(key=lambda row: row.line)
    return outcome


def import_rows(actor: Actor, rows: Sequence[ImportRow], reference: str) -> Outcome:
    """Take in a batch: a constant number of statements, on rows locked in the order of their ids.

    A SKU that stands in it twice is taken twice, the later row wins. The audit trail keeps the
    import's `reference` with what changed, so that `import_undo` finds it.
    """
    skus = sorted({row.sku for row in rows})
    batch = _Batch(import_articles.load(skus, lock=True), category_paths.load())
    batch.before = {sku: article.facts for sku, article in batch.articles.items()}
    for row in rows:
        batch.take(row)
    _make_categories(actor, batch)
    now = utc_now()
    articles = batch.articles.values()
    changed = [a for a in articles if a.id and a.facts != batch.before[a.sku]]
    _add_new([article for article in articles if article.id is None], now)
    write_changes(changed, batch.before, now)
    _record(actor, changed, batch, reference)
    catalogue_cache.invalidate_catalogue()
    return batch.outcome


def settle() -> None:
    """Let the database know how much there is, after many rows came in."""
    refresh_statistics(Product, Variant, Category)


def rehearse(rows: Sequence[ImportRow], rehearsal: Rehearsal) -> Outcome:
    """Tell what `import_rows` would do, and change nothing. Takes no locks."""
    skus = sorted({row.sku for row in rows} - rehearsal.articles.keys())
    rehearsal.tree = rehearsal.tree or category_paths.load()
    rehearsal.articles.update(import_articles.load(skus, lock=False))
    planned = len(rehearsal.tree.to_make)
    batch = _Batch(rehearsal.articles, rehearsal.tree, rehearsal=rehearsal)
    for row in rows:
        batch.take(row)
    batch.outcome.categories = len(rehearsal.tree.to_make) - planned
    return batch.outcome


def _says(value: object) -> bool:
    return value not in (None, "")


def _make_categories(actor: Actor, batch: _Batch) -> None:
    made = category_paths.make_missing(actor, batch.tree)
    batch.outcome.categories = len(made)
    for article in batch.articles.values():
        category_id = article.sheet.category_id
        article.sheet.category_id = made.get(category_id or 0, category_id)


def _add_new(articles: Sequence[Article], now: datetime) -> None:
    slugs = _free_slugs([article.sheet.name for article in articles])
    products = [
        NewProduct(
            name=article.sheet.name,
            slug=slug,
            variants=[NewVariant(article.sku, article.price, article.on_hand)],
            created_at=now,
            description=article.sheet.description,
            category_id=article.sheet.category_id,
            compare_at_price=article.sheet.compare_at_price,
        )
        for article, slug in zip(articles, slugs, strict=True)
    ]
    if products:
        add_products(products, REASON)


def _free_slugs(names: Sequence[str]) -> list[str]:
    wanted = [make_slug(name, "product") for name in names]
    query = select(Product.slug).where(
        among(Product.slug, sorted(set(wanted))), Product.deleted_at.is_(None)
    )
    taken = set(db.session.scalars(query)) if wanted else set()
    slugs = []
    for slug in wanted:
        while slug in taken:
            slug = with_suffix(slug)
        taken.add(slug)
        slugs.append(slug)
    return slugs


def write_changes(articles: Sequence[Article], facts: Mapping[str, Facts], now: datetime) -> None:
    """Write articles that differ from the `facts` that they had, by SKU; their rows are locked."""
    variants, edited = [], []
    for article in articles:
        before, on_hand = facts[article.sku], article.on_hand
        if (article.price, on_hand) != (before.price, before.on_hand):
            delta = on_hand - before.on_hand
            variants.append(VariantChange(article.id or 0, article.price, on_hand, delta))
        if article.price != before.price or article.sheet.facts != before.sheet:
            edited.append(article)
    change_variants(variants, REASON, now)
    _write_products(edited, now)


def _write_products(articles: Sequence[Article], now: datetime) -> None:
    sheets = {article.sheet.id: article.sheet for article in articles if article.sheet.id}
    offers = import_articles.offers_of(set(sheets)) if sheets else {}
    rows = []
    for product_id, sheet in sheets.items():
        columns = listing_columns(sheet.name, sheet.description, offers[product_id])
        rows.append((product_id, *sheet.facts, sheet.version + 1, now, *columns))
    update_rows(Product, _EDITED, rows)


def changes_by_product(
    changed: Sequence[Article], facts: Mapping[str, Facts], reference: str
) -> dict[int | None, Changes]:
    """What the trail tells of articles that differ from the `facts` that they had."""
    changes_of: dict[int | None, Changes] = {}
    for article in changed:
        before = article.state_of(facts[article.sku])
        changes = changes_of.setdefault(article.sheet.id, {})
        changes |= differences(before, article.state_of(article.facts))
    for changes in changes_of.values():
        changes[REFERENCE] = [None, reference]
    return changes_of


def _record(actor: Actor, changed: Sequence[Article], batch: _Batch, reference: str) -> None:
    changes_of = changes_by_product(changed, batch.before, reference)
    if batch.outcome.created:
        created = [None, batch.outcome.created]
        changes_of[None] = {"products": created, REFERENCE: [None, reference]}
    trail.record_many(actor, IMPORTED, changes_of)
