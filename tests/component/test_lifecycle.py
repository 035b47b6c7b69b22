"""From nothing to Ready and back, and what that costs either server."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from support.eventually import eventually
from support.scene import CONNECTIONS, CONNECTORS, GROUPS, MODELS, Scene

from .conftest import Stage

SET = (CONNECTORS, GROUPS, MODELS)
HEALTH = {"get-info", "get-settings", "unknown"}
# Asked for each object on its own when it is deleted: its end is proven, not supposed.
OF_ONE_DELETION = {
    "update-model",
    "undeploy-model",
    *(f"{verb}-{kind}" for verb in ("delete", "get") for kind in ("model", "connector", "group")),
}


def sent(world: Scene) -> Counter[str]:
    """Count the requests to OpenSearch by operation, health checks left out."""
    return Counter(call.operation for call in world.ml.requests if call.operation not in HEALTH)


def many(world: Scene, number: int) -> None:
    """Create so many sets of connector, group and model."""
    world.secret("key", token="value-of-the-credential")
    world.connection()
    for index in range(number):
        world.group(f"group{index}", resyncInterval="30s")
        world.connector(f"connector{index}", resyncInterval="30s")
        world.model(
            f"model{index}",
            connectorRef={"name": f"connector{index}"},
            modelGroupRef={"name": f"group{index}"},
            resyncInterval="30s",
        )


async def test_a_set_becomes_ready_and_goes_without_a_trace(world: Scene) -> None:
    world.everything()
    await world.ready()
    world.check_one_each()
    world.delete_everything()
    await world.gone()
    assert world.nothing_left


async def test_becoming_ready_costs_few_writes_and_requests(stage: Stage) -> None:
    # Who waits for what it refers to says so after five seconds: not in a hurry that the machine makes.
    world = await stage(speed=1.0)
    world.connection()
    await world.ready()
    world.secret("key", token="value-of-the-credential")
    world.kube.reset_counts()
    world.ml.requests.clear()
    world.group()
    world.connector()
    world.model()
    await world.ready()
    await world.quiet()
    writes = world.writes()
    assert writes[MODELS] <= 5
    assert writes[CONNECTORS] <= 3
    assert writes[GROUPS] <= 3
    assert sum(sent(world).values()) <= 9, sent(world)


async def test_an_id_with_a_hyphen_costs_two_requests_more(stage: Stage) -> None:
    names = iter(["group1", "w-ith-hyphen", "connector1"])
    numbers = itertools.count(1)
    world = await stage(new_id=lambda: next(names, None) or f"id{next(numbers)}")
    world.connection()
    world.secret("key", token="value-of-the-credential")
    world.group()
    await world.ready()
    world.ml.requests.clear()
    world.connector()
    await world.ready()
    await world.quiet()
    assert list(world.ml.connectors) == ["connector1"]
    assert sent(world)["create-connector"] == 2
    assert sum(sent(world).values()) <= 1 + 3, sent(world)


@pytest.mark.parametrize("how", ["restart", "crash", "resync"])
async def test_what_has_not_changed_costs_no_write(stage: Stage, how: str) -> None:
    world = await stage(speed=20.0)
    many(world, 3)
    await world.ready()
    await world.quiet()
    world.kube.reset_counts()
    world.ml.requests.clear()
    if how == "restart":
        await world.operator.stop()
        await world.operator.start()
    elif how == "crash":
        await world.operator.restart()
    await eventually(lambda: sent(world)["search-models"] >= 1, seconds=15)
    await eventually(lambda: sent(world)["search-connectors"] >= 1, seconds=15)
    await world.quiet()
    assert world.writes() == {}
    assert not {"create", "update", "delete", "deploy", "undeploy", "register"} & {
        operation.partition("-")[0] for operation in sent(world)
    }


async def test_fifty_sets_at_rest_cost_no_write_and_a_handful_of_reads(stage: Stage) -> None:
    world = await stage(speed=5.0)
    many(world, 50)
    await world.ready(seconds=150)
    # What the operator has just written to it reads one by one for some seconds: another health check long.
    world.ml.requests.clear()
    await eventually(lambda: world.ml.count("get-info") >= 1, seconds=60)
    await world.quiet(seconds=30)
    world.kube.reset_counts()
    world.ml.requests.clear()
    # Connections are looked at every 30 s too: so many looks are so many resyncs.
    await eventually(lambda: world.ml.count("get-info") >= 3, seconds=60)
    assert world.writes() == {}
    # About two searches a kind and resync, whatever the number of objects: reads may be half a resync old.
    assert 0 < sum(sent(world).values()) < 50, sent(world)
    assert sent(world).keys() >= {"search-groups", "search-connectors", "search-models"}


async def test_a_restart_reads_many_at_once(stage: Stage) -> None:
    world = await stage(speed=5.0)
    many(world, 30)
    await world.ready(seconds=150)
    await world.operator.stop()
    world.kube.reset_counts()
    world.ml.requests.clear()
    await world.operator.start()
    await eventually(lambda: {"search-groups", "search-connectors", "search-models"} <= sent(world).keys())
    await world.quiet(seconds=30)
    assert world.writes() == {}
    assert sum(sent(world).values()) < 12, sent(world)


async def test_gates_are_those_of_connections_alone(world: Scene) -> None:
    world.connection()
    world.model()  # it would learn from its connector which connection it is to use
    await eventually(lambda: world.status(MODELS, "model").get("conditions"), seconds=20)
    lines = world.operator.metrics.scrape()().decode().splitlines()
    gates = [line for line in lines if line.startswith("opensearch_ml_gate_limit{")]
    assert not [line for line in gates if 'connection=""' in line]


async def test_deleting_costs_one_write_each(world: Scene) -> None:
    world.everything()
    await world.ready()
    await world.quiet()
    world.kube.reset_counts()
    world.delete_everything()
    await world.gone()
    assert {kind: world.writes()[kind] for kind in SET} == dict.fromkeys(SET, 1)
    # The connection may not know yet that it goes too, and count its users in between.
    assert world.kube.counts["patch", CONNECTIONS, "status"] <= 2
    assert world.kube.counts["patch", CONNECTIONS, ""] <= 2
    assert world.nothing_left


async def test_deleting_many_costs_few_requests_each(stage: Stage) -> None:
    sets = 30
    world = await stage(speed=5.0)
    many(world, sets)
    await world.ready(seconds=150)
    # What the operator has just written to it reads one by one for some seconds: a health check long.
    world.ml.requests.clear()
    await eventually(lambda: world.ml.count("get-info") >= 1, seconds=60)
    await world.quiet()
    world.ml.requests.clear()
    world.delete_everything()
    await world.gone(seconds=60)
    assert world.nothing_left
    # Auto-deploy off, undeploy, and for each of three objects DELETE and the GET that proves it: eight.
    asked = sent(world)
    own = sum(asked[kind] for kind in OF_ONE_DELETION)
    assert 8 * sets <= own <= 9 * sets, asked
    # Markers, what the nodes hold and the state of the models are asked for many at once. How many at once is
    # the machine's: the slower it is, the further apart they ask. One each would be ``sets`` of a kind.
    assert all(count < sets for kind, count in asked.items() if kind not in OF_ONE_DELETION), asked
    assert asked.total() - own <= 4 * sets, asked


@pytest.mark.exhaustive
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("order", [*itertools.permutations([CONNECTIONS, *SET])], ids=">".join)
async def test_any_order_of_deletion_ends_with_nothing_left(
    stage: Stage, order: tuple[str, ...], *, at_once: bool
) -> None:
    world = await stage(speed=30.0, users={"admin": "password-of-admin"})
    world.everything()
    await world.ready()
    for plural in ("secrets", *order):
        for body in world.kube.objects(plural):
            world.delete(plural, body["metadata"]["name"])
        if not at_once:
            await world.quiet(for_=0.05)
    await world.gone()
    assert world.nothing_left


async def test_a_namespace_goes_while_another_stays(world: Scene) -> None:
    world.everything()
    world.namespace = "other"
    world.connection()
    world.secret("key", token="value-of-the-credential")
    world.connector()
    world.model(modelGroupRef=None)
    world.namespace = "team"
    await eventually(lambda: world.remote() == (2, 2, 2))
    await world.quiet()
    for plural in ("secrets", CONNECTIONS, *SET):
        for body in world.kube.objects(plural, "team"):
            world.delete(plural, body["metadata"]["name"])
    await eventually(lambda: not any(world.kube.objects(plural, "team") for plural in SET))
    world.namespace = "other"
    assert world.remote() == (1, 1, 1)
    assert world.is_ready(MODELS, "model")


async def test_a_connection_counts_all_who_use_it(world: Scene) -> None:
    many(world, 3)
    world.edit(CONNECTIONS, "main", healthInterval="5s")
    await world.ready()
    expected = {"connectors": 3, "groups": 3, "models": 3}
    await eventually(lambda: world.status(CONNECTIONS, "main").get("usedBy") == expected)
