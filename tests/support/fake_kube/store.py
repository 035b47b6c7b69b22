"""The objects, their versions and their history: what etcd and the registry of the API server do."""

from __future__ import annotations

import asyncio
import base64
import copy
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from .calls import Resource
from .patches import apply_patch
from .refusals import RefusedError, conflict, expired, invalid, not_found

Body = dict[str, Any]
_FIRST_STATUS = {"observedGeneration": -1}
_SYSTEM_FIELDS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "selfLink",
    "name",
    "namespace",
)


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the history; `body` is never changed afterwards."""

    version: int
    resource: Resource
    type: str
    body: Body


class Store:
    """All objects. Bodies are replaced, never changed, so that pages and histories stay as they were."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.version = 1
        self._now = now
        self._objects: dict[tuple[str, str, str], Body] = {}
        self._history: list[Change] = []
        self._oldest = 0
        self._followers: set[asyncio.Queue[Change]] = set()

    def get(self, resource: Resource, namespace: str, name: str) -> Body:
        try:
            return self._objects[resource.plural, namespace, name]
        except KeyError:
            raise not_found(resource.plural, name) from None

    def past(self) -> Iterable[Change]:
        """Return the history since it was last forgotten."""
        return tuple(self._history)

    def list(self, resource: Resource, namespace: str = "") -> list[Body]:
        found = [key for key in self._objects if key[0] == resource.plural and namespace in {"", key[1]}]
        return [self._objects[key] for key in sorted(found)]

    def create(self, resource: Resource, namespace: str, body: Body) -> Body:
        body = copy.deepcopy(body)
        metadata = body.setdefault("metadata", {})
        name = metadata.get("name") or ""
        if not name:
            raise invalid("name or generateName is required", "metadata.name")
        if (resource.plural, namespace, name) in self._objects:
            raise RefusedError(409, "AlreadyExists", f'{resource.plural} "{name}" already exists')
        metadata |= {
            "uid": str(uuid.uuid4()),
            "generation": 1,
            "creationTimestamp": self._timestamp(),
            **({"namespace": namespace} if resource.namespaced else {}),
        }
        metadata.pop("deletionTimestamp", None)
        body |= {"apiVersion": resource.api_version, "kind": resource.kind}
        _fill_in(resource, body)
        return self._put(resource, "ADDED", body)

    def patch(
        self, resource: Resource, namespace: str, name: str, subresource: str, content_type: str, patch: Any
    ) -> Body:
        old = self.get(resource, namespace, name)
        new = apply_patch(content_type, old, patch)
        # Compared even when nothing else changes, and for the status too. The uid is only checked here:
        # a patch of the status with a wrong one is taken.
        if new["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            raise conflict(resource.plural, name)
        if subresource == "status":
            new = {**old, "status": new.get("status", _FIRST_STATUS)}
            _check_status(resource, new)
        else:
            _check_metadata(old, new)
            if resource.status is not None:
                new = {**new, "status": old["status"]}
        return self._update(resource, old, new)

    def delete(self, resource: Resource, namespace: str, name: str, options: Body | None = None) -> Body:
        old = self.get(resource, namespace, name)
        for field, wanted in ((options or {}).get("preconditions") or {}).items():
            if old["metadata"][field] != wanted:
                raise conflict(resource.plural, name)
        if not old["metadata"].get("finalizers"):
            return self._remove(resource, old)
        if old["metadata"].get("deletionTimestamp"):
            return old
        metadata = {"deletionTimestamp": self._timestamp(), "deletionGracePeriodSeconds": 0}
        metadata["generation"] = old["metadata"]["generation"] + 1
        return self._put(resource, "MODIFIED", {**old, "metadata": {**old["metadata"], **metadata}})

    def vanish(self, resource: Resource, namespace: str, name: str) -> None:
        """Remove an object without a trace in the history, as if the deletion fell into a gap of a watch."""
        self.get(resource, namespace, name)
        del self._objects[resource.plural, namespace, name]
        self.version += 1

    def compact(self) -> None:
        """Forget the history: a watch from an older version than now gets a 410."""
        self._history.clear()
        self._oldest = self.version

    def follow(self, resource: Resource, namespace: str, since: int) -> Follower:
        """Return all changes after a version, those to come included."""
        if since < self._oldest:
            raise expired()
        past = [change for change in self._history if change.version > since]
        return Follower(past, self._followers, lambda change: _concerns(change, resource, namespace))

    def _update(self, resource: Resource, old: Body, new: Body) -> Body:
        metadata = dict(new["metadata"])
        for field in _SYSTEM_FIELDS:
            metadata.pop(field, None)
            if field in old["metadata"]:
                metadata[field] = old["metadata"][field]
        new = {**new, "metadata": metadata}
        if new == old:
            return old
        if _content(new) != _content(old):
            metadata["generation"] += 1
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            return self._remove(resource, new)
        return self._put(resource, "MODIFIED", new)

    def _put(self, resource: Resource, kind: str, body: Body) -> Body:
        self.version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version)}
        body = {**body, "metadata": metadata}
        self._objects[resource.plural, metadata.get("namespace", ""), metadata["name"]] = body
        self._announce(Change(self.version, resource, kind, body))
        return body

    def _remove(self, resource: Resource, body: Body) -> Body:
        metadata = body["metadata"]
        del self._objects[resource.plural, metadata.get("namespace", ""), metadata["name"]]
        self.version += 1
        body = {**body, "metadata": {**metadata, "resourceVersion": str(self.version)}}
        self._announce(Change(self.version, resource, "DELETED", body))
        return body

    def _timestamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _announce(self, change: Change) -> None:
        self._history.append(change)
        for follower in self._followers:
            follower.put_nowait(change)


class Follower:
    """One reader of the history: first the past, then what happens until it is closed."""

    def __init__(
        self, past: list[Change], followers: set[asyncio.Queue[Change]], concerns: Callable[[Change], bool]
    ) -> None:
        self._queue: asyncio.Queue[Change] = asyncio.Queue()
        self._followers = followers
        self._concerns = concerns
        for change in past:
            self._queue.put_nowait(change)
        followers.add(self._queue)

    async def next(self, seconds: float) -> Change | None:
        """Return the next change of the resource; None after so many seconds without one."""
        try:
            async with asyncio.timeout(seconds):
                while not self._concerns(change := await self._queue.get()):
                    pass
        except TimeoutError:
            return None
        return change

    def close(self) -> None:
        self._followers.discard(self._queue)


def _concerns(change: Change, resource: Resource, namespace: str) -> bool:
    return change.resource is resource and namespace in {"", change.body["metadata"].get("namespace", "")}


def _fill_in(resource: Resource, body: Body) -> None:
    if resource.status is not None:
        body["status"] = _FIRST_STATUS  # what a request says about the status is dropped
    if resource.plural == "customresourcedefinitions":
        body["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    if resource.plural == "secrets":
        plain = body.pop("stringData", {})
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
        body["data"] = {**body.get("data", {}), **encoded}


def _check_status(resource: Resource, body: Body) -> None:
    assert resource.status is not None
    try:
        resource.status.model_validate(body["status"])
    except ValidationError as error:
        paths = [".".join(("status", *map(str, detail["loc"]))) for detail in error.errors()]
        raise invalid(f"{resource.kind} is invalid", *paths) from None


def _check_metadata(old: Body, new: Body) -> None:
    before, after = old["metadata"], new["metadata"]
    if after.get("uid") != before["uid"]:
        raise invalid("field is immutable", "metadata.uid")
    if before.get("deletionTimestamp") and set(after.get("finalizers", ())) - set(
        before.get("finalizers", ())
    ):
        raise invalid("no new finalizers can be added if the object is being deleted", "metadata.finalizers")


def _content(body: Body) -> Body:
    return {key: value for key, value in body.items() if key not in {"metadata", "status"}}
