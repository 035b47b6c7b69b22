"""The workflow files: every action by its hash, few rights, and nothing called that does not exist."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.chart import ROOT

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)

Node = dict[str, Any]


def read(file: Path) -> Node:
    found: Node = yaml.safe_load(file.read_text())
    return found


def steps(file: Path) -> list[Node]:
    return [step for job in read(file)["jobs"].values() for step in job.get("steps", [])]


def scripts(file: Path) -> list[str]:
    return [step["run"] for step in steps(file) if "run" in step]


def test_there_are_workflows() -> None:
    assert {file.stem for file in FILES} == {"test", "release"}


@each_file
def test_every_action_is_pinned_by_its_hash_and_says_its_version(file: Path) -> None:
    for line in re.findall(r"uses: (.*)", file.read_text()):
        action, _, comment = line.partition(" # ")
        if action.startswith("./"):
            assert (ROOT / action).is_file()
            continue
        assert PINNED.fullmatch(action), line
        assert re.fullmatch(r"v\d+\.\d+\.\d+", comment), line


def test_an_action_has_one_hash() -> None:
    found = sorted(
        {line for file in FILES for line in re.findall(r"uses: (\S+@\S+ # \S+)", file.read_text())}
    )
    assert all(one.partition("@")[0] != other.partition("@")[0] for one, other in pairwise(found))


@each_file
def test_a_job_has_no_right_that_it_does_not_ask_for(file: Path) -> None:
    workflow = read(file)
    assert workflow["permissions"] == {"contents": "read"}
    more = {name: set(job["permissions"]) for name, job in workflow["jobs"].items() if "permissions" in job}
    assert more in ({}, {"release": {"contents", "id-token"}})
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_file
def test_scripts_are_scripts_and_take_nothing_from_outside_but_by_variables(file: Path) -> None:
    for script in scripts(file):
        assert not EXPRESSION.search(script)
        checked = subprocess.run(
            ["/bin/bash", "-n"], input=script, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, "")


@each_file
def test_what_is_called_is_there(file: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for script in scripts(file):
        for match in re.findall(r"\bmake (?:--\S+ )*(\w+)", script):
            assert match in targets
        for match in re.findall(r"(?<![\w/$.])((?:deploy|crds|docs)/[\w./*-]+)", script):
            assert list(ROOT.glob(match)), match
