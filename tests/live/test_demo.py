"""The demo's steps on both OpenSearch releases: what it promises to show is what happens."""

from __future__ import annotations

import io
import random
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from demo.quickstart import CONNECTOR, GROUP, MODEL, NAMESPACE
from demo.scenario import Scenario
from demo.screen import NotSeenError, Screen
from demo.search import DOCUMENTS, INDEX, PIPELINE, QUERIES
from demo.setting import open_scenario
from stack import versions
from stack.local import Stack
from stack.operator_process import OperatorProcess, start_operator

ML = "/_plugins/_ml"
LINES_OF_A_SCREEN = 50


@pytest.fixture(scope="module")
def operator(local_stack: Stack) -> Iterator[OperatorProcess]:
    local_stack.start(opensearch=versions.OPENSEARCH, kubernetes=True, models=True)
    process = start_operator(local_stack, namespace="demo-operator", release="demo")
    yield process
    process.stop()


@pytest.fixture(params=versions.OPENSEARCH)
def scenario(
    request: pytest.FixtureRequest, local_stack: Stack, operator: OperatorProcess
) -> Iterator[Scenario]:
    assert operator.server.is_running()
    screen = Screen(io.StringIO(), time.monotonic)
    chance = random.Random(request.param)  # noqa: S311 - an order, no secret
    with open_scenario(local_stack, request.param, screen=screen, chance=chance) as opened:
        yield opened
    with opened.node.client() as administrator:
        for path in (f"/{INDEX}", f"/_ingest/pipeline/{PIPELINE}"):
            administrator.delete(path)
    gone = ("--ignore-not-found", "--timeout=60s")
    local_stack.control_plane.run_kubectl("delete", "namespace", NAMESPACE, *gone)


def remote(scenario: Scenario, path: str) -> dict[str, Any]:
    with scenario.node.client() as administrator:
        answer: dict[str, Any] = administrator.get(f"{ML}/{path}").json()
    return answer


def status(scenario: Scenario, resource: str) -> dict[str, Any]:
    found: dict[str, Any] = scenario.kubectl.get(resource)["status"]
    return found


def printed(scenario: Scenario) -> str:
    assert isinstance(scenario.screen.out, io.StringIO)
    return scenario.screen.out.getvalue()


def test_words_alone_would_find_nothing() -> None:
    words = {word for text in DOCUMENTS for word in re.findall(r"\w+", text.lower())}
    assert words.isdisjoint(word for query in QUERIES for word in query.split())


def test_every_step_is_seen_and_is_true(scenario: Scenario) -> None:
    files = scenario.apply()
    model_id = scenario.become_ready()
    old = status(scenario, CONNECTOR)["id"]
    model = remote(scenario, f"models/{model_id}")
    assert model["model_state"] == "DEPLOYED"
    assert (model["connector_id"], model["model_group_id"]) == (old, status(scenario, GROUP)["id"])
    if scenario.quickstart.username is not None:
        # The operator's user and nobody else has made it: never the administrator.
        assert remote(scenario, f"connectors/{old}")["owner"]["name"] == scenario.quickstart.username
    tasks = re.findall(r"(register|deploy) task (\S+)", printed(scenario))
    for kind in ("register", "deploy"):
        task_id = next(id_ for type_, id_ in tasks if type_ == kind)
        task = remote(scenario, f"tasks/{task_id}")
        assert (task["task_type"], task["model_id"]) == (f"{kind.upper()}_MODEL", model_id)

    search = scenario.search(model_id)
    answers = scenario.find(search)
    assert {query: {DOCUMENTS[each.text] for each in found} for query, found in answers.items()} == {
        query: {topic} for query, topic in QUERIES.items()
    }

    sent = scenario.rotate(search)
    assert f"Bearer {scenario.quickstart.key}" not in sent
    new = status(scenario, CONNECTOR)["id"]
    assert new != old
    assert remote(scenario, f"models/{model_id}")["connector_id"] == new
    assert status(scenario, MODEL)["id"] == model_id

    search.remove()
    assert scenario.delete(files).is_empty
    for path in (f"models/{model_id}", f"connectors/{old}", f"connectors/{new}"):
        assert remote(scenario, path)["status"] == 404
    assert not scenario.kubectl.exists(f"namespace/{NAMESPACE}")

    assert printed(scenario).count("✓") == 5
    assert len(printed(scenario).splitlines()) < LINES_OF_A_SCREEN - 5  # the servers' and the last lines
    for secret in (scenario.quickstart.key, scenario.quickstart.password, *sent):
        assert secret.removeprefix("Bearer ") not in printed(scenario)


@pytest.mark.exhaustive
def test_what_does_not_happen_is_not_reported_as_seen(scenario: Scenario) -> None:
    scenario.apply()
    search = scenario.search(scenario.become_ready())
    scenario.model_server.accept_keys(["another"])
    with pytest.raises(NotSeenError, match="Incorrect API key"):
        scenario.find(search)
    assert printed(scenario).count("✗") == 1
