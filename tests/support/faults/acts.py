"""What else people do: adopt, export, keep a connector inside a model, retain, name orphans, probe."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from .users import NOBODYS, Users

_HOUR: Final = 3700.0
"""Seconds after which an object without a resource is an orphan, and a little more."""
_POLICY: Final = (("remotemodels", "model"), ("mlconnectors", "connector"), ("mlmodelgroups", "group"))
_SOMEBODYS: Final = "0" * 31
"""The beginning of uids that no resource has."""


async def leave_two_sets(users: Users) -> None:
    """Let there be two sets in OpenSearch that nobody manages, and a connection."""
    await users.create_namespace()
    await users.connect()
    for which in ("one", "other"):
        group = await users.plant_group(which)
        connector = await users.plant_connector(which)
        await users.plant_model(which, group=group, connector=connector)


async def adopt(users: Users) -> None:
    """Adopt one set by its ids and the other by its names, and a group that is made because it is missing."""
    remote = await users.remote()
    ids = {(kind, source["name"]): id_ for kind, found in remote.items() for id_, source in found.items()}

    def wish(which: str, kind: str) -> dict[str, str]:
        name = f"{users.namespace} {which}"
        return {"id": ids[kind, name]} if which == "one" else {"name": name}

    for which in ("one", "other"):
        await _adopt_model(users, which, wish(which, "models"))
        connector = _unnamed({**users.common, **users.connector})
        del connector["update"]
        if "-" not in ids["connectors", f"{users.namespace} {which}"]:
            connector["description"] = "Adopted"  # otherwise models of others may keep it from changing
        await users.create("mlconnectors", which, {**connector, "adopt": wish(which, "connectors")})
        group = {**_unnamed({**users.common, **users.connected}), "description": "Adopted"}
        await users.create("mlmodelgroups", which, {**group, "adopt": wish(which, "model_groups")})
    missing = {"name": f"{users.namespace} missing", "ifMissing": "Create"}
    await users.create("mlmodelgroups", "missing", {**users.connected, "adopt": missing})


async def export(users: Users) -> None:
    """Have the model's id written to a ConfigMap."""
    await _export(users, "ConfigMap", "model_id")


async def export_elsewhere(users: Users) -> None:
    """Have it in a Secret instead."""
    await _export(users, "Secret", "id")


async def create_with_connector_inside(users: Users) -> None:
    """Create a model with a connector of its own, in a group."""
    await users.create_namespace()
    inside = {key: users.connector[key] for key in ("credentials", "actions", "parameters")}
    model = {"modelGroupRef": {"name": "group"}, "connector": inside, "description": "A model"}
    await users.create("remotemodels", "model", {**users.connected, **users.common, **model})
    await users.create("mlmodelgroups", "group", {**users.common, **users.connected})
    await users.connect()


async def edit_connector_inside(users: Users) -> None:
    """Change parameters and credential of that connector at once."""
    await users.give_secret("second")
    change = {"spec": {"connector": {"parameters": {"model": "large"}}}}
    await users.patch("remotemodels", "model", change)
    await users.look_again("remotemodels", "model")


async def retain(users: Users) -> None:
    """Say that what is in OpenSearch is to outlive its resources."""
    for plural, name in _POLICY:
        await users.patch(plural, name, {"spec": {"deletionPolicy": "Retain"}})


async def delete_retained(users: Users) -> None:
    """Delete all but the connection."""
    for plural, name in _POLICY:
        body = await users.get(plural, name)
        users.retained.add(body["metadata"]["uid"].replace("-", ""))
    for plural, name in _POLICY:
        await users.delete(plural, name)


async def create_for_long(users: Users) -> None:
    """Create everything, to be looked at once in a while: for hours in which little happens."""
    users.resync = users.health = "10m"
    await users.create_everything()


async def plant_orphans(users: Users) -> None:
    """Leave a set in OpenSearch with the connection's mark and no resource, and one of another cluster."""
    model = await users.get("remotemodels", "model")
    source = (await users.remote())["models"][model["status"]["id"]]
    imprint = re.findall(r"k8smlin[0-9a-f]{32}", str(source["description"]))[0]

    async def plant(which: str, digit: str, imprint: str) -> tuple[str, ...]:
        def mark(letter: str) -> str:
            return f"{NOBODYS} k8sml{_SOMEBODYS}{digit}{letter}r1 {imprint}"

        group = await users.plant_group(which, mark("g"))
        connector = await users.plant_connector(which, mark("c"))
        made = await users.plant_model(which, group=group, connector=connector, description=mark("m"))
        return made, connector, group

    users.condemned |= set(await plant("orphan", "1", imprint))
    for planted in users.foreign.values():
        planted.difference_update(users.condemned)
    users.condemned |= set(await plant("stranger", "2", f"k8smlin{'4' * 32}"))
    await asyncio.sleep(_HOUR)


async def name_orphans(users: Users) -> None:
    """Name them all for deletion; what is another cluster's must stay even so."""
    value = " ".join(sorted(users.condemned))
    annotations = {"opensearchml.io/delete-orphans": value}
    await users.patch("opensearchconnections", "main", {"metadata": {"annotations": annotations}})


async def probe(users: Users) -> None:
    """Have the model's answers looked at."""
    await users.patch("remotemodels", "model", {"spec": {"probe": {"parameters": {"input": ["hello"]}}}})


async def _export(users: Users, kind: str, key: str) -> None:
    place = {"kind": kind, "name": "model-id", "key": key}
    await users.patch("remotemodels", "model", {"spec": {"exportID": place}})


async def _adopt_model(users: Users, which: str, wish: dict[str, str]) -> None:
    references = {"connectorRef": {"name": which}, "modelGroupRef": {"name": which}}
    spec = {**_unnamed(users.common), **references, "description": "Adopted", "adopt": wish}
    await users.create("remotemodels", which, spec)


def _unnamed(spec: dict[str, Any]) -> dict[str, Any]:
    """Leave the name of a remote object as it is."""
    return {key: value for key, value in spec.items() if key != "name"}
