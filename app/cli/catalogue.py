"""Product lists in and out."""

import gc
import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import BinaryIO, TextIO

import click
from flask import current_app

from app.cli.shell import command, complain, progress
from app.db.unit_of_work import end_session, in_transaction
from app.domain.catalogue.csv_cells import CsvWriter
from app.domain.catalogue.csv_lines import BYTE_ORDER_MARK, open_text
from app.domain.catalogue.csv_rows import COLUMNS, NotAProductList, ProductList
from app.domain.people.actor import SYSTEM
from app.services.audit import security_log
from app.services.imports import export_service, import_service, import_undo
from app.services.imports.import_service import DryRun, Outcome, RowHandler
from app.services.imports.import_undo import ImportUndo, UndoProgress

BATCH = 2000
"""Rows a transaction."""


@command("import-products")
@click.argument("file", type=click.File("rb"), metavar="FILE.csv")
@click.option("--dry-run", is_flag=True, help="Tell what would happen, and change nothing.")
def import_products(file: BinaryIO, dry_run: bool) -> None:
    """Create and update products from a CSV file, by SKU; `-` reads standard input.

    Columns: sku, name, price and, if wanted, stock (units on hand), description, category (a name
    or a path like `Home > Kitchen`), compare_at_price, currency, tax_class, weight (grams),
    requires_shipping (true or false). UTF-8, or UTF-16 with a byte order mark; cells separated by commas,
    semicolons, tabs or bars.

    A column that the file leaves out stays as it is, and so do stock, tax_class, weight and
    requires_shipping where their cell is empty; an empty description, category or compare_at_price takes away what was there. A compare_at_price is
    shown as the former price while it is higher than the price. Of a product with several variants a row
    changes only its own variant's price, stock and weight.

    A row that cannot go in is reported with its line; the others still go in, and the exit code
    is 1.
    """
    reference = f"cli-{secrets.token_hex(4)}"
    with open_text(file) as lines, _frozen_garbage_collector():
        handler = _previewer() if dry_run else _importer(reference)
        total = _handle(_open_list(lines), file, handler, writes=not dry_run)
    if total.created and not dry_run:
        in_transaction(import_service.update_statistics)
    if total.ignored:
        columns = ", ".join(f"{name} ({rows}×)" for name, rows in sorted(total.ignored.items()))
        complain(f"Warning: not changed, as the product has several variants: {columns}.")
    if total.updated and not dry_run:
        click.echo(f"To undo it: flask undo-import {reference}")
    _report(total, dry_run)


@command("undo-import")
@click.argument("reference", metavar="IMPORT")
@click.option("--dry-run", is_flag=True, help="Tell what would happen, and change nothing.")
def undo_import(reference: str, dry_run: bool) -> None:
    """Put back what an import changed: prices, names, descriptions, categories.

    IMPORT is the number of an import on the staff's pages, or what import-products printed. A product
    that was edited since stays as it is and is named. Stock is not put back, since sales went on, and
    products that the import created stay. It can be interrupted and run again.
    """
    undo, total = ImportUndo(reference), UndoProgress()
    while not total.is_done:
        if dry_run:
            total = import_undo.preview_step(undo, total)
            end_session()  # or one long read would keep the database from cleaning up
        else:
            total = in_transaction(partial(import_undo.step, SYSTEM, undo, total))
    for product_id in total.edited:
        complain(f"product {product_id}: edited since, stays as it is")
    click.echo(
        f"undo-import: {total.put_back} products put back, {len(total.edited)} edited since."
        + (" A dry run: nothing was changed." if dry_run else "")
    )
    if not (total.put_back or total.edited):
        complain(f"Nothing is left to undo of an import {reference}.")


@command("export-products")
@click.option("--output", type=click.File("w", encoding="utf-8", atomic=True), default="-")
@click.option("--all", "inactive", is_flag=True, help="Also what is not active.")
@click.option("--spreadsheet", is_flag=True, help="Begin with the mark by which Excel knows UTF-8.")
def export_products(output: TextIO, inactive: bool, spreadsheet: bool) -> None:
    """Write all products as CSV, one row a variant, as import-products reads it.

    Importing the file again changes nothing. Text that a spreadsheet would take for a formula, such
    as a name that begins with `=`, has an apostrophe in front, which the import takes away.
    """
    in_transaction(lambda: security_log.record_of(SYSTEM, security_log.EXPORTED, "products"))
    output.write(BYTE_ORDER_MARK if spreadsheet else "")
    writer = CsvWriter(output)
    writer.write(COLUMNS)
    for row in export_service.product_rows(current_app.config["STORE_CURRENCY"], inactive):
        writer.write(row)


def _open_list(lines: TextIO) -> ProductList:
    try:
        rows = ProductList(lines, current_app.config["STORE_CURRENCY"])
    except NotAProductList as error:
        raise click.ClickException(str(error)) from None
    if rows.unknown:
        complain(f"Warning: unknown columns are ignored: {', '.join(rows.unknown)}.")
    return rows


def _handle(products: ProductList, file: BinaryIO, handler: RowHandler, writes: bool) -> Outcome:
    """Give the rows to `handler` in batches, and report those that are refused as they come."""
    total, rows = Outcome(), iter(products)
    size, position = _size(file), 0
    with progress(size, "import-products") as advance:
        while batch := list(islice(rows, BATCH)):
            outcome = import_service.handle_rows(batch, handler)
            for row in outcome.refusals:
                complain(f"line {row.line}: {row.reason}")
            if writes and total.created == 0 < outcome.created:
                # An empty table's statistics would make later batches slow.
                in_transaction(import_service.update_statistics)
            total.add(outcome)
            if size is not None:
                advance(file.tell() - position)
                position = file.tell()
    return total


@contextmanager
def _frozen_garbage_collector() -> Iterator[None]:
    """Exempt what is loaded by now from garbage collection, which otherwise takes a tenth of the
    time, as the rows' many objects set it off again and again."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _importer(reference: str) -> RowHandler:
    return lambda batch: in_transaction(
        lambda: import_service.import_rows(SYSTEM, batch, reference)
    )


def _previewer() -> RowHandler:
    return partial(import_service.preview_rows, dry_run=DryRun())


def _report(total: Outcome, dry_run: bool) -> None:
    click.echo(
        f"import-products: {total.created} created, {total.updated} updated,"
        f" {total.unchanged} unchanged, {len(total.refusals)} refused,"
        f" {total.categories} categories made."
        + (" A dry run: nothing was changed." if dry_run else "")
    )
    if total.refusals:
        raise click.exceptions.Exit(1)


def _size(file: BinaryIO) -> int | None:
    """The file's length in bytes, where it has one."""
    if not file.seekable():
        return None
    position = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(position)
    return size
