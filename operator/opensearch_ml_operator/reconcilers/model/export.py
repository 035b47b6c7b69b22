"""The model's id in a ConfigMap or Secret of its own, for programs that do not read our status.

The place stands in status before anything is written there, so that a change of the spec finds what is to
go. The object belongs to the RemoteModel: Kubernetes deletes it with its owner.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...constants import ConditionType, Reason
from ...errors import (
    KubernetesForbiddenError,
    KubernetesUnavailableError,
    ObjectGoneError,
    OperatorError,
    StatusConflictError,
)
from ...models.export import ExportID
from ...models.model import RemoteModelSpec, RemoteModelStatus
from ...models.snapshot import Snapshot
from ..conditions import Fact, false
from ..ports import Export
from ..session import Ports, Session

AGAIN = 15.0
"""Seconds until a place that could not be written is looked at again."""


class ModelExport:
    """Keeps the id where the spec wants it, and nowhere else."""

    def __init__(self, ports: Ports) -> None:
        self._store = ports.exports

    async def keep(self, session: Session[RemoteModelStatus], spec: RemoteModelSpec) -> Fact | None:
        """Write the id if it does not stand there; return what is in the way."""
        wanted, known = spec.export_id, session.status.export
        place = wanted or known
        if place is None:
            return None
        try:
            if known is not None and known != wanted:
                place = known
                await self._remove(session.snapshot, known, wanted)
            if known != wanted:
                await session.record(export=wanted)
            if wanted is not None:
                place = wanted
                return await self._write(session, wanted)
        except (KubernetesUnavailableError, ObjectGoneError, StatusConflictError):
            raise
        except KubernetesForbiddenError as error:
            hint = " Set rbac.exportToSecrets in the chart's values." if place.kind == "Secret" else ""
            return false(ConditionType.SYNCED, Reason.PERMISSION_DENIED, f"spec.exportID: {error}.{hint}")
        except OperatorError as error:
            return false(ConditionType.SYNCED, Reason.REJECTED, f"spec.exportID: {error}.", stalled=True)
        return None

    async def _write(self, session: Session[RemoteModelStatus], place: ExportID) -> Fact | None:
        snapshot, id_ = session.snapshot, session.status.id or ""
        found = await self._store.read(place.kind, snapshot.key.namespace, place.name)
        if found is None:
            await self._store.create(place.kind, place.name, owner=snapshot, data={place.key: id_})
        elif not _is_ours(found, snapshot):
            return _taken(place, found, snapshot)
        elif found.data.get(place.key) != id_:
            await self._patch(snapshot, place, found, {place.key: id_})
        else:
            return None
        session.event("Exported", f"Wrote the model's id to {place.kind} {place.name}.")
        return None

    async def _remove(self, snapshot: Snapshot, old: ExportID, new: ExportID | None) -> None:
        """Take the id away from its old place: the whole object, or one key when the object stays."""
        found = await self._store.read(old.kind, snapshot.key.namespace, old.name)
        if found is None or not _is_ours(found, snapshot):
            return
        if new is not None and (new.kind, new.name) == (old.kind, old.name):
            if old.key in found.data:
                await self._patch(snapshot, old, found, {old.key: None})
            return
        await self._store.delete(old.kind, snapshot.key.namespace, old.name, before=found)

    async def _patch(
        self, snapshot: Snapshot, place: ExportID, found: Export, data: Mapping[str, str | None]
    ) -> None:
        await self._store.patch(place.kind, snapshot.key.namespace, place.name, before=found, data=data)


def _is_ours(found: Export, snapshot: Snapshot) -> bool:
    return any(owner.uid == snapshot.uid for owner in found.owners)


def _taken(place: ExportID, found: Export, snapshot: Snapshot) -> Fact:
    """Say who has the place; that of a deleted namesake goes by itself."""
    names = ", ".join(f"{owner.kind} {owner.name}" for owner in found.owners)
    belongs = f"belongs to {names}" if names else "is not this model's"
    key = snapshot.key
    going = any((owner.kind, owner.name) == (key.kind, key.name) for owner in found.owners)
    remedy = (
        "which is not this one but a deleted namesake; waiting until Kubernetes has cleaned it up."
        if going
        else "and is left as it is. Choose another spec.exportID.name, or delete it."
    )
    words = f"{place.kind} {place.name} exists, {belongs} {remedy}"
    return false(ConditionType.SYNCED, Reason.CONFLICT, words, stalled=not going)
