"""Product lists in the staff's browser: looked over, taken in batch by batch, and given out."""

import io
import time
from datetime import timedelta

import pytest

from app.config import Config
from app.db.unit_of_work import in_transaction
from app.domain.catalogue.csv_rows import COLUMNS
from app.domain.clock import utc_now
from app.errors import Invalid
from app.extensions import db
from app.models import AuditEvent, Category, ImportJob, Product, StockMovement, User, Variant
from app.pages import downloads
from app.pages.admin.catalogue import imports
from app.services.imports import import_jobs
from tests import factories
from tests.factories import count
from tests.integration.browsing import Browser, form_of, hidden_fields
from tests.integration.people import at_once, change, inside, only_row, rows
from tests.integration.shopping import statements_for
from tests.integration.staff import signed_in_staff

STAFF = "staff@example.com"
IMPORT = "/admin/import"


@pytest.fixture
def staff(app):
    """A browser in which an admin is signed in."""
    return signed_in_staff(app, STAFF)


@pytest.fixture
def small_batches(monkeypatch):
    """Five rows a batch, and one batch a request."""
    monkeypatch.setattr(import_jobs, "BATCH", 5)
    monkeypatch.setattr(imports, "SECONDS", 0)
    monkeypatch.setattr(imports, "SECONDS_WITHOUT_SCRIPT", 0)


def upload(browser, *lines, name="list.csv", encoding="utf-8"):
    """Send a file by the form."""
    return send_file(browser, "\n".join(lines).encode(encoding), name)


def send_file(browser, data, name="list.csv"):
    browser.get(IMPORT)
    response = browser.send(IMPORT, file=(io.BytesIO(data), name))
    response.request.input_stream.close()  # the client's own, on disk where it is large
    return response


def looked_over(browser, *lines, **options):
    """The page of a file that was sent, once it is checked."""
    response = upload(browser, *lines, **options)
    assert response.status_code == 303, response.text
    return look_until(browser, response.headers["Location"], "checked")


def look_until(browser, path, status):
    """Press "Continue" on a job's page as long as it is there; the job is in this state then."""
    page = browser.get(path)
    while form_of(page.text, f"{path}/continue"):
        page = browser.follow(browser.send(f"{path}/continue"))
    job = inside(browser.app, import_jobs.get, int(path.rpartition("/")[2]))
    assert (page.status_code, job.status) == (200, status)
    return page.text


def import_now(browser, path):
    """Press the button, and look until it is done."""
    browser.follow(browser.send(path))
    return look_until(browser, path, "done")


def path_of(app):
    return f"{IMPORT}/{only_row(app, ImportJob).id}"


def figures(html):
    """Created, updated, unchanged, refused, categories."""
    facts = html.partition('<dl class="facts">')[2].partition("</dl>")[0]
    return tuple(
        int(part.partition("</dd>")[0].replace(",", "")) for part in facts.split("<dd>")[1:]
    )


def list_of(count_of_rows):
    return ["sku,name,price,stock", *(f"A{n},Thing {n},1.00,3" for n in range(count_of_rows))]


def test_a_list_is_shown_before_anything_changes(app, staff):
    with app.app_context():
        factories.product(sku="OLD", name="Mug", price=1250, stock=4)
        factories.product(sku="SAME", name="Jug", price=500, stock=1)

    page = looked_over(
        staff,
        "sku,name,price,stock,category,colour",
        "OLD,Mug,15.00,6,Home > Cups,red",
        "SAME,Jug,5.00,1,,red",
        "NEW,Vase,9.00,,,red",
        "BAD,Bowl,1.999,1,,red",
    )

    assert figures(page) == (1, 1, 1, 1, 2)
    assert "<del>$12.50</del> → <ins>$15.00</ins>" in page
    assert "<ins>Home &gt; Cups</ins>" in page
    assert "price: USD has 2 decimal places." in page
    assert "Unknown columns are left out: colour." in page
    with app.app_context():
        assert (count(Product), count(Category), count(AuditEvent)) == (2, 0, 0)


def test_a_checked_list_is_taken_in_and_told_about(app, staff):
    with app.app_context():
        factories.product(sku="OLD", name="Mug", price=1250, stock=4)
    looked_over(staff, "sku,name,price,stock", "OLD,Mug,15.00,6", "NEW,Vase,9.00,2", ",,1,")

    page = import_now(staff, path_of(app))

    assert figures(page) == (1, 1, 0, 1, 0)
    assert "Imported" in page
    assert {row.sku: (row.price, row.on_hand) for row in rows(app, Variant)} == {
        "OLD": (1500, 6),
        "NEW": (900, 2),
    }
    me = only_row(app, User)
    assert {(event.user_id, event.door) for event in rows(app, AuditEvent)} == {(me.id, "pages")}
    assert inside(app, lambda: db.session.scalar(db.select(ImportJob.file))) is None
    listed = staff.get(IMPORT).text
    assert "list.csv" in listed
    assert STAFF in listed


def test_what_rows_cannot_change_is_counted_over_all_batches(app, staff, small_batches):
    sizes = [{"sku": f"T-{n}", "price": 100, "options": {"Size": str(n)}} for n in range(7)]
    with app.app_context():
        factories.product_with_variants(sizes, name="Tee")
    told = "Not changed, as the product has several variants: description (1×), name (7×)."

    page = looked_over(
        staff, "sku,name,price,description", *(f"T-{n},T {n},2.00," for n in range(6)), "T-6,T,2,x"
    )

    assert told in page
    assert told in import_now(staff, path_of(app))
    assert only_row(app, Product).name == "Tee"


def test_batches_do_the_same_as_one_piece(app, staff, small_batches):
    with app.app_context():
        for number in range(12):
            factories.product(sku=f"A{number}")
    lines = [
        "sku,name,price,stock,category",
        *(f"A{n},Thing {n},{n // 12 + 1}.00,30,Home > Shelf {n % 3}" for n in range(30)),
        *(f"A{n},Thing {n},{1 + (n < 6)}.00,,Shelf 9" for n in range(12)),
        "broken,row",
        '"never closed,a,1,2,',
        "LAST,One more,1.00,1,",
    ]

    preview = looked_over(staff, *lines)
    report = import_now(staff, path_of(app))

    assert figures(preview) == figures(report) == (19, 12, 0, 14, 4)
    assert "The same as on line 2." in report
    assert len(rows(app, Product)) == 31
    result = app.test_cli_runner().invoke(
        args=["import-products", "-"], input="\n".join(lines[-1:])
    )
    assert result.exit_code == 1  # no header: the command reads the same way


def test_a_list_that_the_previous_release_began_is_imported_to_its_end(app, staff, small_batches):
    looked_over(staff, *list_of(12))
    change(app, only_row(app, ImportJob), repeated=["A1"])  # which had no lines

    assert figures(import_now(staff, path_of(app))) == (12, 0, 0, 0, 0)


def test_an_import_goes_on_where_it_was_left(app, staff, small_batches):
    looked_over(staff, *list_of(23))
    path = path_of(app)
    page = staff.follow(staff.send(path)).text
    halfway = only_row(app, ImportJob)

    assert "25 % are done" in page
    assert (halfway.status, halfway.line, len(rows(app, Variant))) == ("importing", 7, 5)

    report = look_until(signed_in_staff(app, "other@example.com"), path, "done")

    assert figures(report) == (23, 0, 0, 0, 0)
    assert len(rows(app, StockMovement)) == 23
    started_by = next(row.id for row in rows(app, User) if row.email == STAFF)
    assert {event.user_id for event in rows(app, AuditEvent)} == {started_by}


def test_a_batch_that_breaks_off_leaves_neither_rows_nor_a_moved_cursor(app, staff, small_batches):
    looked_over(staff, *list_of(12))
    path = path_of(app)
    staff.follow(staff.send(path))
    job = only_row(app, ImportJob)

    def break_off():
        import_jobs.step(job.id, import_jobs.source_of(job.id), "USD")
        assert count(Variant) == 10
        raise KeyboardInterrupt

    with app.app_context(), pytest.raises(KeyboardInterrupt):
        in_transaction(break_off)

    assert (only_row(app, ImportJob).line, len(rows(app, Variant))) == (job.line, 5)
    assert figures(look_until(staff, path, "done")) == (12, 0, 0, 0, 0)


@pytest.mark.races
def test_two_tabs_take_turns(app, staff, small_batches):
    looked_over(staff, *list_of(60))
    path = path_of(app)
    staff.send(path)
    tabs = [Browser(app), Browser(app)]
    for tab in tabs:
        tab.sign_in(STAFF)

    at_once([lambda tab=tab: look_until(tab, path, "done") for tab in tabs])

    assert figures(staff.get(path).text) == (60, 0, 0, 0, 0)
    assert (len(rows(app, Variant)), len(rows(app, StockMovement))) == (60, 60)


def test_a_second_press_of_the_button_imports_nothing_twice(app, staff):
    looked_over(staff, *list_of(3))
    path = path_of(app)
    form = hidden_fields(form_of(staff.page.text, path))

    for _ in range(2):
        staff.follow(staff.client.post(path, data=form))

    assert len(rows(app, StockMovement)) == 3
    assert only_row(app, ImportJob).report["created"] == 3


def test_looking_at_an_import_does_no_work(app, staff, small_batches):
    path = upload(staff, *list_of(12)).headers["Location"]
    before = only_row(app, ImportJob)

    for look in (staff.client.get, staff.client.head, staff.client.get):
        assert look(path).status_code == 200

    after = only_row(app, ImportJob)
    assert (after.status, after.line, after.updated_at) == ("checking", 7, before.updated_at)


def test_a_small_list_is_checked_and_taken_in_without_another_press(app, staff):
    path = upload(staff, *list_of(3)).headers["Location"]
    assert only_row(app, ImportJob).status == "checked"

    staff.get(path)
    staff.send(path)

    assert only_row(app, ImportJob).status == "done"


def test_without_a_script_a_press_works_for_longer(app, staff, small_batches, monkeypatch):
    monkeypatch.setattr(imports, "SECONDS_WITHOUT_SCRIPT", 60)
    path = upload(staff, *list_of(23)).headers["Location"]

    staff.get(path)
    staff.send(f"{path}/continue", by_script="1")
    by_script = only_row(app, ImportJob)
    staff.send(f"{path}/continue")

    assert (by_script.status, by_script.line) == ("checking", 12)
    assert only_row(app, ImportJob).status == "checked"


def test_an_import_that_waits_does_not_go_on_by_itself(app, staff):
    looked_over(staff, *list_of(3))
    token = hidden_fields(form_of(staff.page.text, path_of(app)))

    response = staff.client.post(f"{path_of(app)}/continue", data=token)

    assert (response.status_code, response.headers["Location"]) == (303, path_of(app))
    assert only_row(app, ImportJob).status == "checked"


def test_a_list_that_changes_nothing_has_no_button(app, staff):
    with app.app_context():
        factories.product(sku="A", name="One", price=100)

    page = looked_over(staff, "sku,name,price", "A,One,1.00")

    assert "There is nothing to import." in page
    assert form_of(page, path_of(app)) is None


def test_long_reports_name_the_first_and_count_the_others(app, staff, monkeypatch):
    monkeypatch.setattr(import_jobs, "MAX_REFUSALS", 2)
    monkeypatch.setattr(import_jobs, "MAX_SAMPLES", 3)

    page = looked_over(staff, *list_of(5), *(f"B{n},Bad,x," for n in range(4)))

    assert figures(page) == (5, 0, 0, 4, 0)
    assert "These are the first 2 of 4." in page
    assert "These are the first 3 of 5." in page


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "Choose a file that is not empty."),
        (b"sku,title\nA,One\n", "The header has no column name, price."),
        (b"sku/name/price\nA/One/1\n", "Columns are separated by commas or semicolons."),
        (b'sku,"name\n', "not readable as CSV"),
        ("sku,name,price\nA,One,1\n".encode("utf-16-le"), "not in UTF-8, nor in UTF-16 with"),
        (b"\x00\xff\xfe", "not in UTF-8, nor in UTF-16 with"),
    ],
)
def test_what_is_no_product_list_is_told_at_the_field(app, staff, content, told):
    response = send_file(staff, content)

    assert response.status_code == 422
    assert told in response.text
    assert 'aria-invalid="true"' in response.text
    assert rows(app, ImportJob) == []


def test_a_form_without_a_file_is_told_so(staff):
    staff.get(IMPORT)

    assert "Choose a file that is not empty." in staff.send(IMPORT).text


def test_rows_in_another_encoding_or_currency_are_refused_by_line(staff):
    lines = ["sku,name,price,currency", "A,Crème,1,USD", "B,Jug,1,EUR", "C,=1+1,1,USD"]

    page = looked_over(staff, *lines, encoding="latin-1")

    assert figures(page) == (1, 0, 0, 2, 0)
    assert "The text is not UTF-8." in page
    assert "This shop sells in USD." in page


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        ("sku,name,price,größe\nA,One,1,x\n".encode("latin-1"), (1, 0, 0, 0, 0)),
        (b"sku,name,price,si\0ze\nA,One,1,x\n", (1, 0, 0, 0, 0)),
        (b"sku,name,price\n\xe9,One,1\n\xe9,One,1\nA,One,1\n", (1, 0, 0, 2, 0)),
        (b"sku,name,price\nA\0,One,1\nA\0,One,1\nA,One,1\n", (1, 0, 0, 2, 0)),
    ],
)
def test_bytes_that_cannot_be_stored_break_nothing(staff, content, outcome):
    sent = send_file(staff, content)

    assert sent.status_code == 303, sent.text
    assert figures(look_until(staff, sent.headers["Location"], "checked")) == outcome


def test_a_file_may_be_larger_than_a_form_but_not_than_the_limit(app, staff):
    description = "x" * 19_000
    lines = ["sku,name,price,description", *(f"A{n},One,1,{description}" for n in range(80))]

    assert figures(looked_over(staff, *lines)) == (80, 0, 0, 0, 0)
    refused = send_file(staff, b"x" * (Config.MAX_UPLOAD_BYTES + 1))
    assert refused.status_code == 413
    assert "This file is too large." in refused.text


def test_a_file_may_have_so_many_lines(app, staff, monkeypatch):
    monkeypatch.setattr(import_jobs, "MAX_LINES", 4)

    assert figures(looked_over(staff, *list_of(3))) == (3, 0, 0, 0, 0)
    refused = send_file(staff, b"sku,name,price\n\nA,One,1\nB,Two,2\n\n")
    assert refused.status_code == 422
    assert "At most 4 lines. For larger files use the command import-products." in refused.text
    assert len(rows(app, ImportJob)) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("unit", [b"\n", b"a\r", b'"\n', b'a,"1/2" b"\n'])
def test_a_file_of_short_lines_takes_no_server_for_long(unit):
    size = Config.MAX_UPLOAD_BYTES
    data = b"sku,name,price\n" + unit * (size // len(unit) - 20)
    began = time.thread_time()

    with pytest.raises(Invalid) as refusal:
        import_jobs.read(data, "USD")

    assert refusal.value.extra["errors"]["file"][0].startswith("At most 500,000 lines.")
    assert time.thread_time() - began < 1


def test_names_of_files_are_shown_as_text(app, staff):
    page = looked_over(staff, *list_of(1), name="<b>\u202e\u0007" + "x" * 300 + ".csv")

    assert only_row(app, ImportJob).name == "x" * 196 + ".csv"
    assert "x.csv" in page


def test_imports_are_forgotten_after_a_week(app, staff):
    looked_over(staff, *list_of(1))
    change(app, only_row(app, ImportJob), updated_at=utc_now() - timedelta(days=8))

    looked_over(staff, *list_of(2))

    assert only_row(app, ImportJob).lines == 3


@pytest.mark.parametrize("number", [0, 99, 2**63])
def test_an_import_that_is_not_there_is_not_found(staff, number):
    staff.get(IMPORT)
    token = hidden_fields(form_of(staff.page.text, IMPORT))

    assert staff.get(f"{IMPORT}/{number}").status_code == 404
    assert staff.client.post(f"{IMPORT}/{number}", data=token).status_code == 404


def test_an_export_comes_back_unchanged(app, staff):
    with app.app_context():
        pots = factories.category(name="Pots > Pans")
        factories.product(
            sku="=A", name='Mug, "large"', description="Two\nlines.", category_id=pots.id
        )
        factories.product(sku="B", compare_at_price=1500, price=1250, stock=0)
        factories.product(sku="OFF", is_active=False)

    response = staff.get("/admin/export.csv")
    page = looked_over(staff, *response.text.split("\n"))

    assert response.content_type == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"].startswith("attachment; filename=products-2")
    assert response.text.splitlines()[0] == "\ufeff" + ",".join(COLUMNS)
    assert figures(page) == (0, 0, 2, 0, 0)
    assert "\n'=A," in response.text
    assert "OFF," not in response.text
    assert "OFF," in staff.get("/admin/export.csv?all=1").text


def test_a_long_export_comes_in_pieces(app, staff, monkeypatch):
    monkeypatch.setattr(downloads, "CHUNK", 100)
    with app.app_context():
        for number in range(6):
            factories.product(sku=f"A{number}", name="x" * 60)

    response = staff.client.get("/admin/export.csv", buffered=False)
    pieces = [piece for piece in response.response if piece]

    assert len(pieces) >= 4
    assert b"".join(pieces).decode().count("\n") == 7


def test_the_list_of_imports_costs_the_same_however_long_it_is(app, staff):
    looked_over(staff, *list_of(1))
    before = statements_for(app, lambda: staff.get(IMPORT))
    for _ in range(3):
        looked_over(staff, *list_of(1))

    assert statements_for(app, lambda: staff.get(IMPORT)) == before


def test_a_job_of_nobodys_is_nobodys(app, staff):
    inside(app, factories.import_job, b"sku,name,price\n", name="")

    assert "unnamed" in staff.get(IMPORT).text
