"""Hashing passwords leaves room for everybody else: few at once, a short queue, and then 503."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from flask import Flask
from sqlalchemy import func, select

from app import create_app
from app.config import Testing, load
from app.errors import Busy
from app.extensions import db
from app.models import User
from app.services.accounts import bulkhead
from app.services.accounts.bulkhead import Bulkhead
from tests import servers
from tests.factories import PASSWORD
from tests.figures import figure, read
from tests.integration.conftest import Caller
from tests.integration.passwords import hashing_requests
from tests.integration.people import EMAIL, at_once, inside, login, make_user, rows
from tests.processes import side_by_side

HOLD_ONE = """
import sys, time
from pathlib import Path
from app.services.accounts.bulkhead import Bulkhead

with Bulkhead(Path(sys.argv[1]), 1, 0).place():
    print("held", flush=True)
    time.sleep(600)
"""
TAKE_TURNS = """
import sys, threading, time
from pathlib import Path
from app.services.accounts.bulkhead import Bulkhead

bulkhead = Bulkhead(Path(sys.argv[1]), 2, 100)

def hold():
    for _ in range(5):
        with bulkhead.place(is_patient=True):
            began = time.monotonic()
            time.sleep(0.01)
            print(f"{began} {time.monotonic()}\\n", end="", flush=True)

threads = [threading.Thread(target=hold) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.fixture
def folder(tmp_path):
    """Where the processes of a test meet."""
    return tmp_path / "places"


def started(code: str, folder) -> subprocess.Popen[str]:
    """A process that runs this code."""
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=servers.ROOT)


def is_free(places: Bulkhead) -> bool:
    try:
        with places.place():
            return True
    except Busy:
        return False


# --- Places


@pytest.mark.processes
def test_no_more_hash_at_once_than_there_are_places_over_all_processes(folder):
    ended = side_by_side(3, TAKE_TURNS, str(folder))
    spans = [tuple(map(float, line.split())) for line in ended.stdout.splitlines()]

    assert ended.returncode == 0, ended.stderr
    assert len(spans) == 3 * 4 * 5
    assert most_at_once(spans) == 2


def most_at_once(spans) -> int:
    """How many spans overlap at most; `time.monotonic` is one clock for all processes."""
    changes = sorted([(end, -1) for _, end in spans] + [(begin, 1) for begin, _ in spans])
    now = most = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


@pytest.mark.processes
def test_a_process_that_is_killed_leaves_its_place(folder):
    places = Bulkhead(folder, 1, 0)
    holder = started(HOLD_ONE, folder)
    assert holder.stdout.readline() == "held\n"
    before = is_free(places)

    holder.send_signal(signal.SIGKILL)
    holder.communicate()

    assert (before, is_free(places)) == (False, True)


def test_two_of_one_process_do_not_share_a_place(folder):
    one, other = Bulkhead(folder, 1, 0), Bulkhead(folder, 1, 0)

    with one.place():
        assert not is_free(other)
    assert is_free(other)


def test_a_failure_leaves_its_place(folder):
    places = Bulkhead(folder, 1, 0)

    with pytest.raises(ZeroDivisionError), places.place():
        raise ZeroDivisionError

    assert is_free(places)


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_in_a_folder_that_others_can_enter_nobody_meets_but_the_process_is_limited(
    folder, caplog, mode
):
    folder.mkdir()
    folder.chmod(mode)
    places = Bulkhead(folder, 1, 0)

    with caplog.at_level(logging.WARNING):
        with places.place():
            assert not is_free(places)
        assert is_free(places)
    assert list(folder.iterdir()) == []
    assert "in each process alone" in caplog.text


def test_a_link_in_the_folders_place_is_not_followed(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    folder.symlink_to(elsewhere)

    assert is_free(Bulkhead(folder, 1, 0))
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_was_cleaned_up_is_made_anew(folder):
    places = Bulkhead(folder, 1, 0)
    assert is_free(places)
    (folder / "0.lock").unlink()
    folder.rmdir()

    assert is_free(places)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_is_made_with_those_above_it_and_for_this_user_alone(tmp_path, caplog):
    folder = tmp_path / "above" / "places"

    with caplog.at_level(logging.WARNING):
        assert is_free(Bulkhead(folder, 1, 0))
        assert is_free(Bulkhead(folder, 1, 0))

    assert folder.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in folder.iterdir()] == ["0.lock"]
    assert (folder / "0.lock").stat().st_mode & 0o777 == 0o600
    assert caplog.text == ""


def test_a_file_in_the_folders_place_is_none(folder):
    folder.touch(0o700)

    with pytest.raises(OSError, match="places"):
        bulkhead.make_private(folder)


def test_whoever_finds_no_place_leaves_no_file_open(folder, monkeypatch, caplog):
    places = Bulkhead(folder, 1, 0)
    with Bulkhead(folder, 1, 0).place():
        assert not is_free(places)
        assert open_files(folder) == 1

    def fail(*_arguments):
        raise OSError("no locks")

    monkeypatch.setattr("fcntl.flock", fail)
    with caplog.at_level(logging.WARNING), places.place():
        assert open_files(folder) == 0
    assert "in each process alone now: no locks" in caplog.text
    monkeypatch.undo()
    with places.place():
        assert open_files(folder) == 1
    assert "over all processes" in caplog.text


def open_files(folder) -> int:
    """How many files of the folder this process has open."""
    links = []
    for file in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists them
            links.append(file.readlink())
    return sum(link.is_relative_to(folder) for link in links)


# --- The queue


def test_a_request_waits_for_five_seconds():
    assert bulkhead.WAIT_SECONDS == 5


def test_those_who_hash_count_among_those_who_may_wait(folder):
    places = Bulkhead(folder, 3, 1)

    places.refuse_if_full()
    with places.place():
        places.refuse_if_full()
        with places.place():
            with pytest.raises(Busy):
                places.refuse_if_full()
            with pytest.raises(Busy), places.place():
                pass
            with places.place(is_patient=True):
                pass
        places.refuse_if_full()


def test_few_wait_for_a_while_and_all_others_are_refused_at_once(folder):
    places = Bulkhead(folder, 1, 3)
    outcomes: list[str] = []

    def ask() -> None:
        outcomes.append("in" if is_free(places) else "refused")

    with places.place():
        waiting = [threading.Thread(target=ask) for _ in range(3)]
        for thread in waiting:
            thread.start()
        until(lambda: len(places._queue) == 3)
        assert not is_free(places)
        assert outcomes == []
    for thread in waiting:
        thread.join()

    assert outcomes == ["in"] * 3


def test_whoever_waited_too_long_is_refused(folder, monkeypatch):
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 0.1)
    places = Bulkhead(folder, 1, 3)

    with Bulkhead(folder, 1, 0).place():
        assert not is_free(places)
    assert not places._queue


def test_a_process_takes_turns_in_the_order_of_asking(folder):
    places, order = Bulkhead(folder, 1, 5), []

    def ask(number: int) -> None:
        with places.place():
            order.append(number)

    with places.place():
        threads = []
        for number in range(5):
            threads.append(threading.Thread(target=ask, args=[number]))
            threads[-1].start()
            until(lambda number=number: len(places._queue) == number + 1)
    for thread in threads:
        thread.join()

    assert order == [0, 1, 2, 3, 4]


def until(holds) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "It never came to hold."
        time.sleep(0.005)


@pytest.mark.parametrize(("threads", "waiting"), [("1", 0), ("2", 0), ("3", 0), ("4", 1), ("8", 5)])
def test_those_who_wait_and_hash_leave_two_threads_to_others(threads, waiting):
    settings = load({"FLASK_ENV": "development", "WEB_THREADS": threads})

    assert waiting == settings.PASSWORD_HASHES_WAITING
    assert waiting + 1 <= max(1, int(threads) - 2)


def test_one_core_is_left_to_everybody_else(monkeypatch):
    for cores, at_once_ in ((1, 1), (2, 1), (8, 7)):
        monkeypatch.setattr("app.config.usable_cores", lambda cores=cores: cores)
        settings = load({"FLASK_ENV": "development"})
        assert at_once_ == settings.PASSWORD_HASHES_AT_ONCE


# --- In the shop


@pytest.fixture
def shop(app, environ, folder) -> Flask:
    """A shop that hashes one password at once, for which one more may wait."""
    settings = {"PASSWORD_HASHES_AT_ONCE": "1", "PASSWORD_HASHES_WAITING": "1"}
    return create_app(Testing({**environ, **settings, "PASSWORD_HASHES_FOLDER": str(folder)}))


def test_while_others_hash_every_route_that_hashes_is_503_and_changes_nothing(
    app, shop, folder, monkeypatch
):
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 0.05)
    sendings = hashing_requests(app)
    hashes = {user.id: user.password_hash for user in rows(app, User)}

    with Bulkhead(folder, 1, 0).place():
        for endpoint, send in sendings:
            answer = send(shop)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2"), endpoint
            if answer.mimetype == "application/problem+json":
                assert answer.json["code"] == "busy"
            else:
                assert "Many people are signing in just now." in answer.text
        assert {user.id: user.password_hash for user in rows(app, User)} == hashes
        assert Caller(shop).get("/api/products").status_code == 200
    assert all(send(shop).status_code < 400 for _, send in sendings)


def test_no_connection_to_the_database_is_held_meanwhile(app, shop, folder):
    make_user(app)
    places = shop.extensions["password_bulkhead"]

    with ThreadPoolExecutor() as pool:
        with Bulkhead(folder, 1, 0).place():
            answer = pool.submit(login, Caller(shop))
            until(lambda: len(places._queue) == 1)
            held = inside(shop, lambda: db.engine.pool.checkedout())
        assert answer.result().status_code == 200

    assert held == 0


def test_commands_wait_for_as_long_as_it_takes(shop, folder, monkeypatch):
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 0.05)
    monkeypatch.setitem(shop.config, "PASSWORD_HASHES_WAITING", 0)
    places = shop.extensions["password_bulkhead"]
    with ThreadPoolExecutor() as pool:
        with Bulkhead(folder, 1, 0).place():
            command = ["create-admin", "boss@example.com", "a long enough phrase"]
            done = pool.submit(shop.test_cli_runner().invoke, args=command)
            until(lambda: len(places._queue) == 1)
            time.sleep(0.2)
            waits = not done.done()
        assert done.result().exit_code == 0, done.result().output

    assert waits
    assert inside(shop, lambda: db.session.scalar(select(func.count(User.id)))) == 1


def test_waiting_and_refusals_are_told_as_figures(app, shop, monkeypatch):
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 60)
    make_user(app)

    def told(name: str, **labels: str) -> float:
        return figure(read(Caller(shop).get("/metrics").text), name, **labels)

    before = told("shop_refusals_total", code="busy")
    with ThreadPoolExecutor() as pool:
        with shop.extensions["password_bulkhead"].place():
            waiting = pool.submit(login, Caller(shop))
            until(lambda: told("shop_passwords", state="waiting") == 1)
            assert told("shop_passwords", state="hashing") == 1
            assert login(Caller(shop)).status_code == 503
        assert waiting.result().status_code == 200

    assert told("shop_refusals_total", code="busy") == before + 1
    assert told("shop_passwords", state="waiting") == told("shop_passwords", state="hashing") == 0


@pytest.mark.processes
@pytest.mark.races
def test_a_burst_of_sign_ins_is_answered_or_told_to_come_again_and_lists_are_served(
    app, environ, folder
):
    make_user(app)
    settings = {"BCRYPT_LOG_ROUNDS": "11", "PASSWORD_HASHES_FOLDER": str(folder)}
    limits = {"PASSWORD_HASHES_AT_ONCE": "1", "PASSWORD_HASHES_WAITING": "1"}
    credentials = {"email": EMAIL, "password": PASSWORD}
    with servers.gunicorn({**environ, **settings, **limits}, workers=2) as (server, url):

        def sign_in() -> requests.Response:
            return requests.post(f"{url}/api/auth/login", json=credentials, timeout=60)

        def list_products() -> requests.Response:
            return requests.get(f"{url}/api/products", timeout=60)

        answers = at_once([sign_in, sign_in, sign_in, list_products] * 6)
        signed_in = [answer for answer in answers if answer.request.method == "POST"]
        refused = [answer for answer in signed_in if answer.status_code == 503]

        assert {answer.status_code for answer in signed_in} == {200, 503}
        assert all(answer.headers["Retry-After"] == "2" for answer in refused)
        assert {answer.json()["code"] for answer in refused} == {"busy"}
        assert {a.status_code for a in answers if a.request.method == "GET"} == {200}

        for worker in servers.children(server.pid):
            os.kill(worker, signal.SIGKILL)
        until(lambda: servers.is_ready(url))
        assert sign_in().status_code == 200  # no place was lost
