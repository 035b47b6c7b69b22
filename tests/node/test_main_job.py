"""The image in a pod: what it runs as, and a model brought up and taken away by it."""

from __future__ import annotations

import json

import pytest

from delivery.chart import NAME, NAMESPACE
from support.live_stage import open_stage
from support.node_release import Release

LOOK = """
import json, pathlib
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
def refuses(path):
    try:
        pathlib.Path(path).write_text("x")
    except OSError as error:
        return error.strerror
print(json.dumps({
    "user": status["Uid"].split()[0],
    "capabilities": int(status["CapBnd"], 16),
    "no_new_privileges": status["NoNewPrivs"],
    "seccomp": status["Seccomp"],
    "writes": [refuses("/x"), refuses("/opt/venv/x"), refuses("/tmp/x")],
}))
"""

COMPILED = """
import subprocess, sys
load = [sys.executable, "-v", "-P", "-c", "import opensearch_ml_operator.startup"]
told = subprocess.run(load, capture_output=True, text=True, check=True).stderr.splitlines()
print([line for line in told if line.startswith("# code object from") and line.strip("'").endswith(".py")])
"""
"""What Python says with -v of a module whose source it had to compile."""


@pytest.fixture(autouse=True)
def installed(release: Release) -> None:
    release.install()


def test_the_pod_has_no_rights_on_its_node(release: Release) -> None:
    seen = json.loads(release.kubectl("exec", f"deployment/{NAME}", "--", "python", "-c", LOOK))
    assert seen == {
        "user": "65532",
        "capabilities": 0,
        "no_new_privileges": "1",
        "seccomp": "2",
        "writes": ["Read-only file system", "Read-only file system", None],
    }
    labels = json.loads(release.kubectl("get", "namespace", NAMESPACE, "--output=json"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_start_compiles_nothing(release: Release) -> None:
    printed = release.kubectl("exec", f"deployment/{NAME}", "--", "python", "-c", COMPILED)
    assert printed.strip() == "[]"


def test_a_model_is_brought_up_and_taken_away(release: Release) -> None:
    with open_stage(release.node.stack, "main-job") as stage:
        stage.connect()
        model = stage.perform("first")
        assert stage.remote.predict(model).is_success
        stage.kube.delete_all()
        stage.until_nothing_is_left()
    assert [line for line in map(json.loads, release.log().splitlines()) if line["level"] == "error"] == []
