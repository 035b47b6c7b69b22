"""Settings of the cluster on real servers: set and seen, shared, put back, and refused in clear words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from opensearch_ml_operator.reconcilers.settings.claims import TRUSTED
from stack import versions
from stack.operator_process import OperatorProcess
from support.live_kube import condition
from support.live_metrics import opensearch_requests
from support.live_stage import Stage
from support.live_waiting import until

both = pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
secured = pytest.mark.parametrize("stage", [versions.OPENSEARCH_2], indirect=True)
ROLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "deploy" / "opensearch-role" / "settings-role.json").read_text()
)
(PERMISSION,) = ROLE["cluster_permissions"]
KIND = "MLClusterSettings"
PREFIX = "plugins.ml_commons."
SWITCH, TASKS, FREE = (
    f"{PREFIX}safe_delete_model",
    f"{PREFIX}max_ml_task_per_node",
    "disk_free_space_threshold",
)
ENTRY, OTHER = r"^http://127\.0\.0\.2:\d+/.*$", "^https://[a-z0-9-]+\\.models\\.example/.*$"
WRITES, REQUESTS = 3, 4
"""Until an object is Ready; the requests are two looks, the change, and that it is still the same cluster."""


def stands(stage: Stage) -> dict[str, Any]:
    """Return the persistent settings of the plugin."""
    answer = stage.remote.client.get("/_cluster/settings?flat_settings=true").raise_for_status()
    persistent: dict[str, Any] = answer.json()["persistent"]
    return {name: value for name, value in persistent.items() if name.startswith(PREFIX)}


def put(stage: Stage, **layers: dict[str, Any]) -> None:
    stage.remote.client.put("/_cluster/settings", json=layers).raise_for_status()


@contextmanager
def allowed(stage: Stage) -> Iterator[None]:
    """Give the operator's user the role for settings, as the documentation says, for a while."""
    if not stage.sets.secured:
        yield
        return
    security = "/_plugins/_security/api"
    client, role = stage.remote.client, "ml-operator-settings"
    client.put(f"{security}/roles/{role}", json=ROLE).raise_for_status()
    users = {"users": [stage.sets.username]}
    client.put(f"{security}/rolesmapping/{role}", json=users).raise_for_status()
    try:
        yield
        stage.kube.delete_all()
    finally:
        client.delete(f"{security}/rolesmapping/{role}").raise_for_status()
        client.delete(f"{security}/roles/{role}").raise_for_status()


@both
def test_settings_are_set_seen_kept_and_put_back(stage: Stage, operator: OperatorProcess) -> None:
    put(stage, persistent={TASKS: "9"})
    with allowed(stage):
        stage.connect()
        before = opensearch_requests(operator, stage.kube.namespace)
        mark = stage.kube.mark(KIND)
        wanted = {"safe_delete_model": True, TASKS: 11, FREE: "6gb"}
        stage.kube.apply(stage.sets.settings("one", settings=wanted, trustedEndpoints={"add": [OTHER]}))
        stage.kube.until_ready(KIND, "one")
        assert stage.kube.changes(KIND, mark)["one"] <= WRITES
        assert (opensearch_requests(operator, stage.kube.namespace) - before).total() <= REQUESTS
        found = stands(stage)
        default = found[TRUSTED][:-1]
        assert found == {SWITCH: "true", TASKS: "11", PREFIX + FREE: "6gb", TRUSTED: [*default, OTHER]}
        assert any("127" in entry for entry in default), "the node's own list is kept"
        assert stage.kube.get(KIND, "one")["status"]["previous"][TASKS] == {"value": "9"}

        at_rest = stage.kube.versions()
        operator.restart()
        until(lambda: opensearch_requests(operator, stage.kube.namespace)["read-settings"])
        put(stage, persistent={SWITCH: None, TRUSTED: ["^http://somebody.example/.*$"]})
        assert stage.kube.versions() == at_rest
        stage.kube.touch(KIND, "one", "1")
        until(lambda: stands(stage).get(SWITCH) == "true", told=lambda: stands(stage))
        assert stands(stage)[TRUSTED] == ["^http://somebody.example/.*$", OTHER]
        put(stage, persistent={TRUSTED: None})
        stage.kube.touch(KIND, "one", "2")
        until(lambda: stands(stage).get(TRUSTED) == [*default, OTHER], told=lambda: stands(stage))

        stage.kube.delete(KIND, "one")
        stage.kube.until_gone((KIND, "one"))
        assert stands(stage) == {TASKS: "9"}
    put(stage, persistent={TASKS: None})


def test_the_older_has_a_setting_until_it_goes(stage: Stage) -> None:
    stage.connect()
    stage.kube.apply(stage.sets.settings("older", settings={"safe_delete_model": True}))
    older = stage.kube.until_ready(KIND, "older")
    # Kubernetes counts ages in seconds, and who is created within the same one may be the older.
    until(lambda: younger(stage, older["metadata"]["creationTimestamp"]))
    younger_spec: dict[str, Any] = {"settings": {SWITCH: "false"}, "trustedEndpoints": {"add": [OTHER]}}
    stage.kube.apply(stage.sets.settings("younger", **younger_spec))
    message = stage.kube.until_reason(KIND, "younger", "Conflict")
    assert f"{SWITCH} by older" in message
    assert condition(stage.kube.get(KIND, "younger"), "Stalled")["status"] == "True"
    assert stands(stage)[SWITCH] == "true"
    assert OTHER in stands(stage)[TRUSTED]

    stage.kube.delete(KIND, "older")
    stage.kube.until_ready(KIND, "younger")
    assert stands(stage)[SWITCH] == "false"
    stage.kube.delete_all()
    assert stands(stage) == {}


def younger(stage: Stage, created: str) -> bool:
    """Whether what is created now is younger."""
    stage.kube.apply(stage.sets.secret("clock", tick=""))
    now = str(stage.kube.get("Secret", "clock")["metadata"]["creationTimestamp"])
    stage.kube.delete("Secret", "clock")
    return now > created


def test_an_endpoint_becomes_trusted_for_as_long_as_the_object_lives(stage: Stage) -> None:
    stage.connect()
    connector = stage.sets.connector("first")
    connector["spec"]["actions"][0]["url"] = "http://127.0.0.2:9/v1/embeddings"
    stage.kube.apply(connector)
    stage.kube.until_reason("MLConnector", "first", "EndpointNotTrusted")
    stage.kube.apply(stage.sets.settings("trust", trustedEndpoints={"add": [ENTRY]}))
    stage.kube.until_ready(KIND, "trust")
    stage.kube.touch("MLConnector", "first", "1")
    stage.kube.until_ready("MLConnector", "first")
    stage.kube.delete_all()
    assert stands(stage) == {}


def test_what_cannot_be_set_is_refused_in_clear_words(stage: Stage) -> None:
    stage.connect()
    refused: dict[str, tuple[dict[str, Any], str, str]] = {
        "unknown": ({"settings": {"no_such_setting": 1}}, "Rejected", "not recognized"),
        "static": ({"settings": {"multi_tenancy_enabled": True}}, "Rejected", "not dynamically updateable"),
        "value": ({"settings": {"max_ml_task_per_node": -2}}, "Rejected", "must be >= 0"),
        "others": ({"settings": {"plugins.security.x": 1}}, "InvalidSpec", "only settings of plugins.ml_com"),
        "pattern": ({"trustedEndpoints": {"add": ["["]}}, "Rejected", "would refuse every connector"),
    }
    stage.kube.apply(*(stage.sets.settings(name, **spec) for name, (spec, _, _) in refused.items()))
    for name, (_, reason, words) in refused.items():
        assert words in stage.kube.until_reason(KIND, name, reason)
    assert stands(stage) == {}

    put(stage, transient={TASKS: "8"})
    try:
        stage.kube.apply(stage.sets.settings("value", settings={"max_ml_task_per_node": 7}))
        assert TASKS in stage.kube.until_reason(KIND, "value", "Conflict")
    finally:
        put(stage, transient={TASKS: None})
    stage.kube.touch(KIND, "value", "1")
    stage.kube.until_ready(KIND, "value")
    stage.kube.delete_all()
    assert stands(stage) == {}


@secured
def test_the_permission_is_needed_and_named(stage: Stage) -> None:
    stage.connect()
    stage.kube.apply(stage.sets.settings("one", settings={"safe_delete_model": True}))
    message = stage.kube.until_reason(KIND, "one", "PermissionDenied")
    assert PERMISSION in message
    assert stands(stage) == {}
    with allowed(stage):
        stage.kube.touch(KIND, "one", "1")
        stage.kube.until_ready(KIND, "one")
        assert stands(stage) == {SWITCH: "true"}
    assert stands(stage) == {}
