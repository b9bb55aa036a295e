"""Measures whether the time of a refused sign-in tells that an account exists.

`python -m tests.reliability.login_timing [--rounds 200]` takes about four minutes at the cost of
production. Each round signs in once to an account with a wrong password and once to an address
without one, in random order, over the whole way of a request. Exit code 1: the medians are more
than 5 % apart.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import update

from app import create_app
from app.config import Testing
from app.db.unit_of_work import in_transaction
from app.extensions import bcrypt, db
from app.models import User
from tests import factories

COST = 12
ALLOWED = 0.05
WRONG = "not the password"


def main() -> int:
    """Measure, print both medians, and say by the exit code whether they are alike."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--cost", type=int, default=COST)
    parser.add_argument(
        "--stored-cost", type=int, help="the cost of the stored hashes, from before it was raised"
    )
    wanted = parser.parse_args()
    random.seed(wanted.seed)
    with tempfile.TemporaryDirectory() as folder:
        app = shop(Path(folder), wanted.cost)
        known, unknown = measure(app, wanted.rounds, wanted.stored_cost or wanted.cost)
    apart = abs(known - unknown) / max(known, unknown)
    sys.stdout.write(
        f"seed {wanted.seed}, cost {wanted.cost}, n = {wanted.rounds}: median with an account "
        f"{known * 1000:.1f} ms, without {unknown * 1000:.1f} ms, {apart:.2%} apart\n"
    )
    return int(apart > ALLOWED)


def shop(folder: Path, cost: int) -> Flask:
    """A shop of its own, with passwords hashed as in production."""
    settings = {
        "DATABASE_URL": f"sqlite:///{folder / 'shop.db'}",
        "BCRYPT_LOG_ROUNDS": str(cost),
        "RATELIMIT_ENABLED": "false",
        "LOG_LEVEL": "ERROR",
    }
    app = create_app(Testing(settings))
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return app


def measure(app: Flask, rounds: int, stored_cost: int) -> tuple[float, float]:
    """The medians in seconds: wrong password for an account, and for none."""
    stored = bcrypt.generate_password_hash(factories.PASSWORD, stored_cost).decode()
    with app.app_context():
        people = [factories.user(password="unused") for _ in range(max(1, rounds // 4))]
        in_transaction(lambda: db.session.execute(update(User).values(password_hash=stored)))
        emails = [person.email for person in people]
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds):
        email = emails[number % len(emails)]
        pair = [(True, email), (False, f"no{number % len(emails)}.{email}")]
        for is_known, address in random.sample(pair, 2):
            times[is_known].append(knock(app, address, number))
    return statistics.median(times[True]), statistics.median(times[False])


def knock(app: Flask, email: str, number: int) -> float:
    """How long one refused sign-in takes, in seconds; not more than four for one account."""
    client = app.test_client()
    place = {"REMOTE_ADDR": f"192.0.2.{number % 250}"}
    body = {"email": email, "password": WRONG}
    begun = time.perf_counter()
    answer = client.post("/api/auth/login", json=body, environ_overrides=place)
    taken = time.perf_counter() - begun
    if answer.status_code != 401:
        raise RuntimeError(f"A refused sign-in was answered with {answer.status_code}.")
    return taken


if __name__ == "__main__":
    sys.exit(main())
