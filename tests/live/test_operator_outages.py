"""The servers go away and come back in the middle of the work; two connections do not disturb each other."""

from __future__ import annotations

import pytest

from stack import versions
from stack.controlplane import ControlPlane
from stack.operator_process import OperatorProcess
from support.live_sets import Sets
from support.live_stage import NOTHING, Stage, open_stage
from support.live_waiting import until

SETS = 12
SECONDS = 90.0


@pytest.mark.exhaustive
def test_the_api_server_restarts_while_sets_are_made(
    stage: Stage, control_plane: ControlPlane, operator: OperatorProcess
) -> None:
    stage.connect()
    names = [f"set-{number:02}" for number in range(SETS)]
    stage.kube.apply(*(document for name in names for document in stage.sets.one_set(name)))
    until(lambda: stage.left()["models"] > 0, poll=0.02)
    control_plane.api_server.stop()
    control_plane.api_server.start()
    if not operator.server.is_running():  # away for longer than the Lease allows: a kubelet starts it again
        assert "the Lease could not be renewed" in operator.log_file.read_text()
        operator.start()
    for name in names:
        stage.ready(name, seconds=SECONDS)
    until(lambda: set(stage.left().values()) == {SETS}, told=stage.left)
    # What happens after the outage is heard of, too.
    stage.perform("later")


@pytest.mark.exhaustive
def test_two_connections_in_one_namespace(stage: Stage) -> None:
    release = versions.OPENSEARCH_2
    namespace = stage.kube.namespace
    with open_stage(stage.stack, namespace, release) as secured:
        other = Sets(secured.remote.node, stage.model_server, namespace)
        stage.connect()
        stage.kube.apply(*other.connection("other"))
        stage.kube.apply(*stage.sets.one_set("first"), *other.one_set("second", connection="other"))
        first, second = stage.ready("first"), stage.ready("second")
        for remote, model_id in ((stage.remote, first), (secured.remote, second)):
            assert set(remote.find("models", namespace)) == {model_id}
            assert remote.predict(model_id).status_code == 200

        # One of them away is nothing to the objects of the other.
        wrong = stage.sets.connection(endpoints=["http://127.0.0.1:9"])
        stage.kube.apply(*wrong)
        stage.kube.until_reason("OpenSearchConnection", "main", "Unreachable")
        stage.kube.touch("RemoteModel", "first", "1")
        stage.kube.until_reason("RemoteModel", "first", "ConnectionNotReady")
        stage.kube.apply(other.connector("third", connection="other"))
        stage.kube.until_ready("MLConnector", "third")
        stage.kube.apply(*stage.sets.connection())
        assert stage.ready("first") == first

        mixed = stage.sets.model("mixed", connector="first", group="second")
        stage.kube.apply(mixed)
        message = stage.kube.until_reason("RemoteModel", "mixed", "ConnectionMismatch")
        assert "Both must name the same one" in message
        stage.kube.delete_all()
        until(lambda: secured.left() == NOTHING, told=secured.left)


@pytest.mark.exhaustive
@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
def test_opensearch_hangs_during_a_create(stage: Stage) -> None:
    stage.connect()
    stage.kube.apply(*stage.sets.connection(timeout={"read": "1s"}))
    stage.perform("first")
    node = stage.remote.node
    node.pause()
    try:
        stage.kube.apply(*stage.sets.one_set("second"))
        # Nobody knows whether the create will be carried out: the operator says so and does not send another.
        until(lambda: "Unreachable" in _reasons(stage) or "WaitingForUnresolvedCreate" in _reasons(stage))
    finally:
        node.resume()
    stage.ready("second", seconds=SECONDS)
    until(lambda: set(stage.left().values()) == {2}, told=stage.left)


def _reasons(stage: Stage) -> set[str]:
    found = [stage.kube.get("OpenSearchConnection", "main"), stage.kube.get("MLConnector", "second")]
    return {each["reason"] for one in found for each in one["status"].get("conditions", [])}
