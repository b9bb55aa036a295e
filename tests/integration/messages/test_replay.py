"""The replay of real invoices, on a small day of our own."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import ROOT
from tests import factories, servers
from tests.integration.books import assert_books_balance

pytestmark = pytest.mark.slow

SCRIPT = ROOT / "scripts" / "replay_orders.py"
HEADER = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
]
STAFF = {"email": "staff@example.com", "password": factories.PASSWORD}


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """Thirty invoices over five articles, a cancellation, and lines that are no articles."""
    rows = [
        [f"{536000 + n}", f"A{(n + k) % 5}", "", str(1 + n % 7), "", "1.00", "", ""]
        for n in range(30)
        for k in (0, 1, 0)
    ]
    rows += [
        ["C536900", "A1", "", "-3", "", "1.00", "", ""],
        ["536000", "POST", "POSTAGE", "1", "", "18.00", "", ""],
        ["536950", "A2", "", "-10", "", "0.00", "", ""],
    ]
    path = tmp_path / "2010-12-01.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


@pytest.fixture
def articles(app) -> None:
    """The five articles, and staff to set their stock."""
    with app.app_context():
        factories.user(role="admin", email=STAFF["email"])
        for number in range(5):
            factories.product(sku=f"A{number}", price=255 + number, stock=number)


def replay(address: str, day: Path) -> subprocess.CompletedProcess:
    """Run the script on a server, with four clients."""
    command = [sys.executable, SCRIPT, "--url", address, "--clients", "4"]
    login = ["--email", STAFF["email"], "--password", STAFF["password"]]
    return subprocess.run(
        [*command, *login, day], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.usefixtures("articles")
def test_every_invoice_becomes_one_order_to_the_penny(app, environ, day):
    with servers.shop(environ) as address:
        run = replay(address, day)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "30 invoices, 30 orders, 60 lines" in run.stdout
    assert "1 cancellations with 3 units back, 2 lines left out, 0 differences" in run.stdout
    with app.app_context():
        assert_books_balance()
