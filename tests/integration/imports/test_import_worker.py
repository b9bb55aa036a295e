"""Product lists are checked and imported by the worker, while pages only look."""

import pytest

from app.db.moments import seconds_from_now
from app.db.unit_of_work import in_transaction
from app.domain.people.actor import Actor
from app.extensions import db
from app.jobs import KINDS, imports
from app.jobs.worker import Worker
from app.models import ImportJob, Job, Product
from app.services.imports import import_jobs
from app.services.messages import job_queue
from tests.factories import count
from tests.integration.people import inside, only_row, rows
from tests.integration.staff import signed_in_staff

ROWS = 2_500
LIST = "sku,name,price\n" + "".join(f"S{n},Vase {n},1.00\n" for n in range(ROWS))
STAFF = Actor("admin", None, interface="pages")


@pytest.fixture
def uploaded(app):
    """A list that waits to be checked."""

    def work():
        data = LIST.encode()
        products, source = import_jobs.read(data, "USD")
        return import_jobs.begin(STAFF, "list.csv", data, products, source)

    return inside(app, lambda: in_transaction(work))


def work_once(app):
    Worker(app, KINDS, ()).drain()


def start(app, job):
    inside(app, lambda: in_transaction(lambda: import_jobs.start(STAFF, job.id)))


def test_the_worker_checks_and_imports_while_no_page_is_open(app, uploaded):
    work_once(app)
    checked = only_row(app, ImportJob)
    assert (checked.status, checked.preview["created"]) == ("checked", ROWS)
    assert inside(app, count, Product) == 0

    start(app, uploaded)
    work_once(app)
    done = only_row(app, ImportJob)
    assert (done.status, done.report["created"]) == ("done", ROWS)
    assert inside(app, count, Product) == ROWS
    assert {job.status for job in rows(app, Job)} == {"done"}


def test_a_long_import_is_continued_try_by_try(app, uploaded, monkeypatch):
    work_once(app)
    start(app, uploaded)
    monkeypatch.setattr(imports, "SECONDS", 0.0)
    worker = Worker(app, KINDS, ())
    seen = []
    monkeypatch.setattr(
        job_queue,
        "postpone",
        lambda job, seconds: seen.append((job.kind, seconds)) or worker.stop(),
    )
    worker.drain()
    assert seen == [("import", 0)]
    monkeypatch.undo()

    inside(app, lambda: in_transaction(lambda: db.session.execute(
        db.update(Job).values(due_at=seconds_from_now(-1), leased_until=None)
    )))  # fmt: skip
    work_once(app)
    assert only_row(app, ImportJob).status == "done"
    assert inside(app, count, Product) == ROWS


def test_a_list_that_was_deleted_meanwhile_is_no_failure(app, uploaded):
    inside(app, lambda: in_transaction(lambda: db.session.execute(db.delete(ImportJob))))
    work_once(app)
    assert only_row(app, Job).status == "done"


def test_a_page_waits_for_the_worker_that_has_the_job(app, uploaded, monkeypatch):
    monkeypatch.setattr("app.pages.admin.catalogue.imports.SECONDS_WITHOUT_SCRIPT", 0.3)
    staff = signed_in_staff(app)
    path = f"/admin/import/{uploaded.id}"
    page = staff.get(path)
    inside(app, lambda: in_transaction(lambda: job_queue.claim(["import"])))
    staff.follow(staff.send(f"{path}/continue"))
    assert only_row(app, ImportJob).line == 0

    inside(app, lambda: in_transaction(lambda: db.session.execute(
        db.update(Job).values(leased_until=seconds_from_now(-1))
    )))  # fmt: skip
    staff.page = page
    staff.follow(staff.send(f"{path}/continue"))
    assert only_row(app, ImportJob).line > 0
