"""How tasks ended last is written to small files, and told to Prometheus."""

import json
import os
import re
import time

import pytest

from app.observability import metrics, task_status
from app.observability.task_status import TaskStatus


class Interrupted(BaseException):
    """What ends a task from outside."""


def ended(folder, task="backup", value=None, error=None):
    """Run a task that ends like this; its status."""

    def run():
        with task_status.recording(folder, task) as this:
            this.value = value
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(type(error)):
            run()
    return task_status.read(folder, task)


def test_a_task_that_fails_keeps_the_time_of_its_last_success(tmp_path):
    before = time.time()
    good = ended(tmp_path, value=1234)
    bad = ended(tmp_path, error=OSError("no space left"))
    killed = ended(tmp_path, error=Interrupted())
    again = ended(tmp_path, value=5)

    assert before <= good.succeeded_at <= time.time()
    assert (good.failed, good.value) == (False, 1234)
    assert bad == killed == TaskStatus(good.succeeded_at, failed=True, value=1234)
    assert again.succeeded_at >= good.succeeded_at
    assert (again.failed, again.value) == (False, 5)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b'{"succeeded_at": "x", "failed": false, "value": 0}',
     b'{"succeeded_at": NaN, "failed": false, "value": 0}', b"[" * 4096],
)  # fmt: skip
def test_a_file_that_makes_no_sense_tells_nothing(tmp_path, content):
    (tmp_path / "purge.json").write_bytes(content)

    assert task_status.read(tmp_path, "purge") == TaskStatus()
    assert b'shop_task_success_timestamp_seconds{task="purge"} 0.0' in metrics.report(tmp_path)


def test_neither_a_link_nor_a_pipe_is_read(tmp_path):
    (tmp_path / "elsewhere").write_text('{"succeeded_at": 1, "failed": false, "value": 1}')
    (tmp_path / "purge.json").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "backup.json")

    assert task_status.read(tmp_path, "purge") == TaskStatus()
    assert task_status.read(tmp_path, "backup") == TaskStatus()


def test_a_folder_that_cannot_be_written_does_not_fail_the_task(tmp_path, caplog):
    (tmp_path / "file").write_text("")

    ended(tmp_path / "file", value=1)

    assert "cannot be written" in caplog.text


def test_figures_of_tasks_are_told(tmp_path):
    ended(tmp_path, "backup", value=4096)
    ended(tmp_path, "audit", value=2, error=OSError())
    stored = json.loads((tmp_path / "backup.json").read_text())

    told = metrics.report(tmp_path).decode()

    (at,) = re.findall(r'(?m)^shop_task_success_timestamp_seconds\{task="backup"\} (.+)$', told)
    assert float(at) == stored["succeeded_at"]
    assert 'shop_task_failed{task="backup"} 0.0' in told
    assert 'shop_task_failed{task="audit"} 1.0' in told
    assert 'shop_task_success_timestamp_seconds{task="drill"} 0.0' in told
    assert "shop_backup_bytes 4096.0" in told
    assert "shop_audit_violations 2.0" in told
    assert (tmp_path / "backup.json").stat().st_mode & 0o777 == 0o644
