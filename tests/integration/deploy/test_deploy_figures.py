"""The dashboard and the alerts use figures that the shop tells, with labels that they have."""

import json
import re
from pathlib import Path

import pytest
import yaml

from app.config import ROOT
from app.observability import metrics

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def told() -> dict[str, set[str]]:
    """The names under which Prometheus finds the shop's figures, with their labels."""
    found = {}
    for figure in vars(metrics.ShopMetrics()).values():
        for family in figure.describe() if hasattr(figure, "describe") else ():
            for suffix in SUFFIXES[family.type]:
                more = {"le"} if suffix == "_bucket" else set()
                found[f"{family.name}{suffix}"] = {*figure._labelnames, *more}
    nowhere = Path("nowhere")
    files = (metrics.TaskMetrics(nowhere), metrics.JobMetrics(nowhere))
    families = (family for file in files for family in file.collect())
    return found | {family.name: set(family._labelnames) for family in families}


def rules() -> list[dict]:
    return [
        rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    ]


def alerts() -> list[dict]:
    return [rule for rule in rules() if "alert" in rule]


def questions(file: Path) -> list[str]:
    """All expressions of a file."""
    if file == ALERTS:
        return [rule["expr"] for rule in rules()]
    panels = json.loads(file.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_revenue_is_shown_as_money():
    """Minor units, such as cents, are divided by how many of them make one unit of the currency."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = [expr for expr in questions(DASHBOARD) if "revenue_minor_units" in expr]

    assert len(asked) == 2
    for expr in asked:
        assert "/ on (currency) max by (currency) (shop_currency_minor_units)" in expr
    for panel in panels:
        if panel["title"].startswith("Revenue"):
            assert "minor" not in panel["description"]
            assert panel["targets"][0]["legendFormat"] == "{{currency}}"
            assert panel["fieldConfig"]["defaults"]["unit"] == "locale"


@pytest.mark.parametrize("file", [ALERTS, DASHBOARD], ids=lambda file: file.name)
def test_every_figure_that_is_asked_for_is_told_and_has_the_labels(file):
    known = told()
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = " ".join(questions(file))

    names = set(re.findall(r"\bshop[_:][a-z0-9_:]+", asked))
    matched = re.findall(r"\b(shop_[a-z_]+)\{([^}]*)\}", asked)

    assert names - set(known) - recorded == set()
    for name, matchers in matched:
        assert set(re.findall(r"(\w+)(?:=|!)", matchers)) <= known[name], name


def test_every_figure_is_shown():
    asked = " ".join(questions(DASHBOARD) + questions(ALERTS))

    families = {re.sub("_(bucket|count|sum)$", "", name) for name in told()}

    assert {name for name in families if name not in asked} == set()


def test_groups_are_made_by_labels_that_are_there():
    labels = {label for of_one in told().values() for label in of_one} | {"instance"}
    asked = " ".join(questions(DASHBOARD) + questions(ALERTS))

    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", asked)

    assert {name.strip() for names in grouped for name in names.split(",")} <= labels


def test_every_alert_says_how_urgent_it_is_and_where_its_steps_are():
    for alert in alerts():
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"]["runbook"] == f"DEPLOYMENT.md#alert-{alert['alert'].lower()}"
        assert alert["annotations"]["summary"]


@pytest.mark.only_on("sqlite")
def test_routes_that_are_left_out_are_routes_of_the_shop(shared_app):
    routes = [rule.rule for rule in shared_app.url_map.iter_rules()]
    asked = " ".join(questions(DASHBOARD) + questions(ALERTS))

    patterns = {one for many in re.findall(r'route!~"([^"]*)"', asked) for one in many.split("|")}

    assert patterns
    for pattern in patterns:
        assert any(re.fullmatch(pattern, route) for route in routes), pattern
