"""What Argo CD, Flux and Helm think of the states that the operator brings objects into."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import kstatus
from support.argocd import health
from support.scene import CONNECTIONS, CONNECTORS, GROUPS, MODELS, Scene

SCRIPT = (Path(__file__).parents[2] / "deploy" / "argocd" / "health.lua").read_text()
Act = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class State:
    """How an object comes into a state, and what is to be thought of it there."""

    name: str
    act: Act
    plural: str
    object: str
    argo_cd: str
    words: str
    kstatus: str


async def ready(world: Scene) -> None:
    world.everything()
    await world.ready()


async def never_seen(world: Scene) -> None:
    await world.operator.crash()
    world.everything()


async def edited_while_the_operator_is_away(world: Scene) -> None:
    await ready(world)
    await world.operator.crash()
    world.edit(GROUPS, "group", description="changed")


async def without_its_secret(world: Scene) -> None:
    world.connection()
    world.connector()
    await world.becomes(CONNECTORS, "connector", "Ready", "SecretNotFound")


async def waiting_for_a_connector(world: Scene) -> None:
    await without_its_secret(world)
    world.group()
    world.model()
    await world.becomes(MODELS, "model", "Ready", "ConnectorNotReady")


async def refused(world: Scene) -> None:
    world.connection()
    world.group(description="<b>bold</b>")
    await world.becomes(GROUPS, "group", "Stalled", "Rejected")


async def invalid(world: Scene) -> None:
    world.connection()
    world.secret("key", token="value-of-the-credential")
    world.connector(extra={"name": "clash"})
    await world.becomes(CONNECTORS, "connector", "Stalled", "InvalidSpec")


async def unreachable(world: Scene) -> None:
    await world.ml.stop()
    world.connection()
    await world.becomes(CONNECTIONS, "main", "Reachable", "Unreachable")


async def suspended(world: Scene) -> None:
    await ready(world)
    world.edit(GROUPS, "group", suspend=True)
    await world.becomes(GROUPS, "group", "Suspended", "Suspended")


async def suspended_with_a_change(world: Scene) -> None:
    await suspended(world)
    world.edit(GROUPS, "group", description="changed")
    await world.becomes(GROUPS, "group", "Synced", "DriftDetected")


async def deleted_while_in_use(world: Scene) -> None:
    await ready(world)
    world.delete(CONNECTORS, "connector")
    await world.becomes(CONNECTORS, "connector", "Deletable", "UsedByModels")


STATES = (
    State("never seen", never_seen, MODELS, "model", "Progressing", "not seen this version", "InProgress"),
    State("ready connection", ready, CONNECTIONS, "main", "Healthy", "Succeeded", "Current"),
    State("ready connector", ready, CONNECTORS, "connector", "Healthy", "Succeeded", "Current"),
    State("ready model", ready, MODELS, "model", "Healthy", "Succeeded", "Current"),
    State(
        "edited, not seen",
        edited_while_the_operator_is_away,
        *(GROUPS, "group", "Progressing", "not seen this version", "InProgress"),
    ),
    State(
        "without its Secret",
        without_its_secret,
        *(CONNECTORS, "connector", "Progressing", "SecretNotFound: Secret key", "InProgress"),
    ),
    State(
        "waiting for a connector",
        waiting_for_a_connector,
        *(MODELS, "model", "Progressing", "ConnectorNotReady: ", "InProgress"),
    ),
    State("refused", refused, GROUPS, "group", "Degraded", "Rejected: ", "Failed"),
    State("invalid", invalid, CONNECTORS, "connector", "Degraded", "InvalidSpec: ", "Failed"),
    State("unreachable", unreachable, CONNECTIONS, "main", "Progressing", "Unreachable: ", "InProgress"),
    State("suspended", suspended, GROUPS, "group", "Suspended", "Suspended: ", "Current"),
    State(
        "suspended, with a change",
        suspended_with_a_change,
        *(GROUPS, "group", "Suspended", "Suspended: ", "Failed"),
    ),
    State(
        "deleted while in use",
        deleted_while_in_use,
        *(CONNECTORS, "connector", "Progressing", "UsedByModels: ", "Terminating"),
    ),
)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
async def test_all_come_to_the_right_verdict(world: Scene, state: State) -> None:
    await state.act(world)
    body = world.get(state.plural, state.object)
    status, message = health(SCRIPT, body)
    assert (status, kstatus.verdict(body)) == (state.argo_cd, state.kstatus), (message, body)
    assert state.words in message
