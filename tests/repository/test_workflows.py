"""The workflows of CI: pinned, bounded in time, and with no more rights than they need."""

import re

import pytest
import yaml

from app.config import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_of_others_is_pinned_by_its_commit(path):
    used = re.findall(r"uses: (.+)", path.read_text())

    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\$/\S+", action), action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_given_job_by_job_and_no_job_runs_for_ever(path):
    workflow = yaml.safe_load(path.read_text())

    assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job in workflow["jobs"].items():
        assert "timeout-minutes" in job or "uses" in job, name
        assert "write" not in job.get("permissions", {}).values() or name == "image"


def test_python_versions_are_those_that_are_promised():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())

    versions = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert versions == ["3.10", "3.11", "3.12", "3.13"]
    assert f"Python {versions[0]} to {versions[-1]}" in (ROOT / "README.md").read_text()
