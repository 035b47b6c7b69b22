"""A hundred sets at once, and the operator killed again and again meanwhile: one object for each, no more."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from stack import versions
from stack.local import Stack
from stack.operator_process import OperatorProcess, start_operator
from support.live_stage import Stage, open_stage
from support.live_waiting import until

SETS = 100
SECONDS = 150.0
SETTINGS = {
    # Nothing holds a create back between operator and node, but a node that has much to do may take its time;
    # and a killed operator begins anew at once.
    "quietPeriod": "30s",
    "leaderElection": {"enabled": False},
}


@pytest.fixture
def stage(request: pytest.FixtureRequest, local_stack: Stack) -> Iterator[Stage]:
    local_stack.start(opensearch=(versions.OPENSEARCH_3,), kubernetes=True, models=True)
    with open_stage(local_stack, f"many-{request.node.callspec.id}") as opened:
        yield opened


@pytest.fixture
def own_operator(stage: Stage) -> Iterator[OperatorProcess]:
    namespace = stage.kube.namespace
    process = start_operator(
        stage.stack, namespace=f"{namespace}-operator", release=namespace, watch=[namespace], values=SETTINGS
    )
    yield process
    process.stop()


@pytest.mark.exhaustive
@pytest.mark.parametrize("kills", [0, 3], ids=["calm", "killed"])
def test_a_hundred_sets(stage: Stage, own_operator: OperatorProcess, kills: int) -> None:
    stage.connect()
    names = [f"set-{number:03}" for number in range(SETS)]
    started = time.monotonic()
    stage.kube.apply_at_once(*(document for name in names for document in stage.sets.one_set(name)))
    for kill in range(1, kills + 1):
        enough = SETS * kill / (kills + 1)
        until(lambda: stage.left()["models"] >= enough, poll=0.05, seconds=SECONDS)  # noqa: B023
        own_operator.kill()
        own_operator.start()
    until(lambda: _ready(stage) == SETS, seconds=SECONDS, poll=0.5, told=lambda: _ready(stage))
    _tell("Ready", started)

    until(lambda: set(stage.left().values()) == {SETS}, seconds=10, told=stage.left)
    models = stage.remote.find("models", stage.kube.namespace)
    assert {model["model_state"] for model in models.values()} == {"DEPLOYED"}
    told = {each["metadata"]["name"]: each["status"]["id"] for each in stage.kube.list("RemoteModel")}
    assert {f"{stage.kube.namespace} {name}": id_ for name, id_ in told.items()} == {
        model["name"]: id_ for id_, model in models.items()
    }

    started = time.monotonic()
    stage.kube.delete_all(seconds=SECONDS)
    stage.until_nothing_is_left()
    _tell("gone", started)


def _tell(what: str, started: float) -> None:
    """Print a measurement; pytest shows it with -s."""
    print(f"{SETS} sets {what} after {time.monotonic() - started:.1f} s")  # noqa: T201


def _ready(stage: Stage) -> int:
    ready = 0
    for model in stage.kube.list("RemoteModel"):
        conditions = model["status"].get("conditions", [])
        ready += any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready
