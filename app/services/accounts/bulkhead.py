"""Limits how many passwords this machine hashes at once (the bulkhead pattern).

bcrypt releases the interpreter's lock and then keeps a core busy for about 0.3 s. Without a limit,
a burst of sign-ins takes all cores and all threads, and a list that costs 2 ms waits for seconds.

At most `places` hashes run at once in all processes that share a folder. A place is a lock (flock)
on one of the folder's files. The kernel releases it when its holder ends, also by SIGKILL; a
counter in shared memory or in Redis would lose a place with each worker that is killed. Each holder
opens the file anew, because a lock belongs to the open file: two threads of one process that used
the same descriptor would both hold it.

Each process queues its own requests in the order of their arrival. The queue is bounded in number,
so that most threads stay free for other requests, and in time. Whoever finds no room is refused.
"""

import fcntl
import logging
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.errors import Busy
from app.extensions import extension
from app.observability import metrics

WAIT_SECONDS = 5.0
"""How long a request waits for a place."""
POLL_SECONDS = 0.02
"""How often the first of a queue looks for a place that another process has left."""
IN_PROCESS = -1
"""Stands for the descriptor of a place that is not backed by a file."""
log = logging.getLogger(__name__)


class Bulkhead:
    """The places of a machine, and one process's queue for them.

    Args:
        folder: where the processes meet; made with mode 0700 if it is missing.
        places: how many hashes run at once, over all processes.
        max_waiting: how many requests of this process may wait. Waiting and hashing requests
            together never exceed `max_waiting + 1`.
    """

    def __init__(self, folder: Path, places: int, max_waiting: int) -> None:
        self._folder, self._places, self._max_waiting = folder, places, max_waiting
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._hashing = 0
        self._is_shared = True
        self._is_private = False

    @contextmanager
    def place(self, is_patient: bool = False) -> Iterator[None]:
        """Hold a place during the block. `is_patient`: wait as long as it takes, as commands do.

        Raises:
            Busy: the queue of this process is full, or no place became free in WAIT_SECONDS.
        """
        descriptor = self._take(is_patient)
        try:
            yield
        finally:
            self._leave(descriptor)

    def refuse_if_full(self) -> None:
        """Call this before work that precedes the hash; raises Busy where `place` would at once."""
        with self._changed:
            if len(self._queue) + self._hashing > self._max_waiting:
                raise Busy()

    def _take(self, is_patient: bool) -> int:
        with self._changed:
            if not is_patient:
                self.refuse_if_full()
            ticket = object()
            self._queue.append(ticket)
            metrics.shop.passwords.labels("waiting").inc()
            try:
                return self._wait(ticket, is_patient)
            finally:
                self._queue.remove(ticket)
                metrics.shop.passwords.labels("waiting").dec()
                self._changed.notify_all()

    def _wait(self, ticket: object, is_patient: bool) -> int:
        may_wait = is_patient or len(self._queue) <= self._max_waiting
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            descriptor = self._try() if self._queue[0] is ticket else None
            if descriptor is not None:
                self._hashing += 1
                metrics.shop.passwords.labels("hashing").inc()
                return descriptor
            if not may_wait or (not is_patient and time.monotonic() >= deadline):
                raise Busy()
            self._changed.wait(POLL_SECONDS)

    def _leave(self, descriptor: int) -> None:
        if descriptor != IN_PROCESS:
            os.close(descriptor)  # which releases the lock
        with self._changed:
            self._hashing -= 1
            metrics.shop.passwords.labels("hashing").dec()
            self._changed.notify_all()

    def _try(self) -> int | None:
        """A place that is free now, as the descriptor of its file; None if there is none."""
        try:
            descriptor = self._try_files()
        except OSError as error:
            # Without its folder each process limits itself, so that people can still sign in.
            self._log_change(is_shared=False, reason=f": {error}")
            return IN_PROCESS if self._hashing < self._places else None
        self._log_change(is_shared=True)
        return descriptor

    def _try_files(self) -> int | None:
        for number in range(self._places):
            descriptor = self._open(self._folder / f"{number}.lock")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            else:
                return descriptor
        return None

    def _open(self, file: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        if not self._is_private:
            make_private(self._folder)
            self._is_private = True
        try:
            return os.open(file, flags, 0o600)
        except FileNotFoundError:  # somebody removed the folder
            make_private(self._folder)
            return os.open(file, flags, 0o600)

    def _log_change(self, is_shared: bool, reason: str = "") -> None:
        if is_shared != self._is_shared:
            self._is_shared = is_shared
            scope = "over all processes" if is_shared else "in each process alone"
            log.warning("The hashing of passwords is limited %s now%s.", scope, reason)


def make_private(folder: Path) -> None:
    """Make a folder that only this user can enter.

    Raises:
        OSError: it cannot be made, or exists and belongs or is open to other users.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    is_private = status.st_uid == os.geteuid() and not status.st_mode & (
        stat.S_IRWXG | stat.S_IRWXO
    )
    if not (is_private and stat.S_ISDIR(status.st_mode)):
        raise OSError(f"{folder} is not a folder of this user alone (mode 0700)")


def from_settings(settings: Mapping[str, Any]) -> Bulkhead:
    """The bulkhead of these settings. Create it before the server forks its workers."""
    return Bulkhead(
        Path(settings["PASSWORD_HASHES_FOLDER"]),
        settings["PASSWORD_HASHES_AT_ONCE"],
        settings["PASSWORD_HASHES_WAITING"],
    )


def current() -> Bulkhead:
    """The bulkhead of the current app."""
    bulkhead: Bulkhead = extension("password_bulkhead")
    return bulkhead
