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
from app.db.unit_of_work import in_transaction
from app.domain.catalogue.csv_cells import CsvWriter
from app.domain.catalogue.csv_rows import COLUMNS, NotAProductList, ProductList, open_text
from app.domain.people.actor import SYSTEM
from app.services.audit import security_log
from app.services.imports import export_service, import_service, import_undo
from app.services.imports.import_service import Outcome, Rehearsal, Work
from app.services.imports.import_undo import Undo, Undone

BATCH = 2000
"""Rows a transaction."""


@command("import-products")
@click.argument("file", type=click.File("rb"), metavar="FILE.csv")
@click.option("--dry-run", is_flag=True, help="Tell what would happen, and change nothing.")
def import_products(file: BinaryIO, dry_run: bool) -> None:
    """Create and update products from a CSV file, by SKU; `-` reads standard input.

    Columns: sku, name, price and, if wanted, stock (units on hand), description, category (a name
    or a path like `Home > Kitchen`), compare_at_price, currency. UTF-8.

    A column that the file leaves out stays as it is, and so does the stock where its cell is empty;
    an empty description, category or compare_at_price takes away what was there. Of a product with
    several variants a row changes only its own variant's price and stock.

    A row that cannot go in is reported with its line; the others still go in, and the exit code
    is 1.
    """
    reference = f"cli-{secrets.token_hex(4)}"
    with open_text(file) as lines, _what_was_loaded_left_alone():
        work = _rehearsal() if dry_run else _writer(reference)
        total = _take_in(_open_list(lines), file, work, settles=not dry_run)
    if total.created and not dry_run:
        in_transaction(import_service.settle)
    if total.stayed:
        told = ", ".join(f"{name} ({rows}×)" for name, rows in sorted(total.stayed.items()))
        complain(f"Warning: not changed, as the product has several variants: {told}.")
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
    undo, total = Undo(reference), Undone()
    while not total.is_done:
        if dry_run:
            total = import_undo.rehearse(undo, total)
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
def export_products(output: TextIO, inactive: bool) -> None:
    """Write all products as CSV, one row a variant, as import-products reads it.

    Importing the file again changes nothing. Text that a spreadsheet would take for a formula, such
    as a name that begins with `=`, has an apostrophe in front, which the import takes away.
    """
    in_transaction(lambda: security_log.record_of(SYSTEM, security_log.EXPORTED, "products"))
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


def _take_in(listing: ProductList, file: BinaryIO, work: Work, settles: bool) -> Outcome:
    """Give the rows to `work`, batch by batch; what is refused is reported as it comes."""
    total, rows = Outcome(), iter(listing)
    size, at = _size(file), 0
    with progress(size, "import-products") as advance:
        while batch := list(islice(rows, BATCH)):
            done = import_service.sort_out(batch, work)
            for row in done.refused:
                complain(f"line {row.line}: {row.reason}")
            if total.created == 0 < done.created and settles:
                in_transaction(import_service.settle)  # or all that follow were planned for no rows
            total.add(done)
            if size is not None:
                advance(file.tell() - at)
                at = file.tell()
    return total


@contextmanager
def _what_was_loaded_left_alone() -> Iterator[None]:
    """The garbage collector would go through all of the program again and again, while rows come
    and go: a tenth of the time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _writer(reference: str) -> Work:
    return lambda batch: in_transaction(
        lambda: import_service.import_rows(SYSTEM, batch, reference)
    )


def _rehearsal() -> Work:
    rehearsal = Rehearsal()
    return lambda batch: import_service.rehearse(batch, rehearsal)


def _report(total: Outcome, dry_run: bool) -> None:
    click.echo(
        f"import-products: {total.created} created, {total.updated} updated,"
        f" {total.unchanged} unchanged, {len(total.refused)} refused,"
        f" {total.categories} categories made."
        + (" A dry run: nothing was changed." if dry_run else "")
    )
    if total.refused:
        raise click.exceptions.Exit(1)


def _size(file: BinaryIO) -> int | None:
    """The file's length in bytes, where it has one."""
    if not file.seekable():
        return None
    at = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(at)
    return size
