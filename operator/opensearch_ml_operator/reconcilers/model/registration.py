"""How a RemoteModel comes to its id: its own group if it needs one, then the register, each exactly once."""

from __future__ import annotations

from typing import Any

from ...constants import ConditionType, Reason
from ...models.model import RemoteModelSpec, RemoteModelStatus
from .. import managed
from ..conditions import Fact, false, find, true
from ..creation.protocol import Role
from ..creation.steps import Created, Creation
from ..outcome import Outcome
from ..records import digest
from ..session import Session
from . import bodies, computed
from .references import Resolved
from .target import Target, deploying, synced


class Registration:
    """The creates of one model, by the create protocol."""

    def __init__(self, creation: Creation) -> None:
        self._creation = creation

    async def group(
        self, session: Session[RemoteModelStatus], spec: RemoteModelSpec, resolved: Resolved
    ) -> str | Outcome:
        """Return the id of the group to register in.

        Without one in the spec it is the model's own; never the public, ownerless one the server makes. An
        intent that stands is brought to its end first, whatever the spec says by now.
        """
        pending = session.status.pending
        if pending is not None and pending.role == Role.GROUP.value:
            made = await self._own_group(session, spec, resolved)
            if isinstance(made, Outcome):
                return made
        if resolved.group_id is not None:
            return resolved.group_id
        if session.status.owned_group_id is not None:
            return session.status.owned_group_id
        if pending is not None and pending.role == Role.MODEL.value:
            settled = await self._settle(session, resolved)
            if settled is not None:
                return settled
        return await self._own_group(session, spec, resolved)

    async def register(self, session: Session[RemoteModelStatus], target: Target) -> Outcome | None:
        """Register, and record id and task with the intent of the deployment; None when that is done."""
        key, resolved = session.snapshot.key, target.resolved
        if session.status.pending is None:
            missing = await _missing(target)
            if missing is not None:
                await session.record(missing)
                return Outcome(retry=True)
        if not resolved.registers.try_enter(key, target.body["model_group_id"]):
            await _show_waiting(session)
            return Outcome(requeue_after=managed.PARKED)
        try:
            created = await self._creation.run(
                session,
                resolved.client,
                role=Role.MODEL,
                revision=bodies.REVISION,
                hash_=target.spec_hash,
                post=lambda: resolved.client.register_model(target.register_request()),
                with_intent={
                    **resolved.on_record,
                    "export": session.status.export or target.spec.export_id,
                },
            )
        finally:
            resolved.registers.leave(key)
        if isinstance(created, Outcome):
            return created
        await self._record(session, target, created)
        return None

    async def _own_group(
        self, session: Session[RemoteModelStatus], spec: RemoteModelSpec, resolved: Resolved
    ) -> str | Outcome:
        body = bodies.group_body(session.snapshot, spec)
        created = await self._creation.run(
            session,
            resolved.client,
            role=Role.GROUP,
            revision=bodies.REVISION,
            hash_=digest(body),
            post=lambda: resolved.client.create_group(body),
            with_intent=resolved.on_record,
        )
        if isinstance(created, Outcome):
            return created
        await session.record(owned_group_id=created.id, pending=None, **resolved.on_record)
        self._creation.forget(session.snapshot.uid)
        return created.id

    async def _settle(self, session: Session[RemoteModelStatus], resolved: Resolved) -> Outcome | None:
        """Find out what became of a register whose group the spec does not name any more."""
        settled = await self._creation.settle(
            session, resolved.client, role=Role.MODEL, revision=bodies.REVISION
        )
        if isinstance(settled, Outcome):
            words = "A register got no clear answer and may still be carried out; looking for the model."
            await session.record(
                true(ConditionType.REFERENCES_RESOLVED),
                false(ConditionType.SYNCED, Reason.WAITING_FOR_UNRESOLVED_CREATE, words),
            )
            return settled
        id_ = settled.id if settled is not None else None
        origin = "Created" if id_ is not None else None
        await session.record(id=id_, origin=origin, pending=None, **resolved.on_record)
        self._creation.forget(session.snapshot.uid)
        return None

    async def _record(self, session: Session[RemoteModelStatus], target: Target, created: Created) -> None:
        if created.found:
            session.event(
                "Found", f"Found {created.id} in OpenSearch by its marker: it was registered before."
            )
        changes: dict[str, Any] = {
            "id": created.id,
            "origin": "Created",
            **target.resolved.on_record,
            "connector_id": target.resolved.connector_id,
            "model_group_id": target.body["model_group_id"],
            # One that was found is compared with the spec before it counts as applied.
            "spec_hash": None if created.found else target.spec_hash,
            "extra_fields": bodies.extra_fields(target.spec, session.status),
            "tasks": computed.started(
                session.status.tasks, "Register", created.task_id, now=session.now, state="COMPLETED"
            ),
        }
        facts = (*synced(), deploying())
        if created.found or not target.spec.deploy:
            await session.record(*facts, pending=None, **changes)
            self._creation.forget(session.snapshot.uid)
        else:
            await self._creation.intend_role(session, Role.DEPLOY, *facts, **changes)


async def _show_waiting(session: Session[RemoteModelStatus]) -> None:
    """Take back what was said about a reference that is good by now: in a crowd a turn may take minutes."""
    said = find(session.status.conditions, ConditionType.REFERENCES_RESOLVED)
    if said is not None and said.status != "True":
        words = "Waits for its turn: few registers run at a time on a cluster."
        await session.record(
            true(ConditionType.REFERENCES_RESOLVED), false(ConditionType.SYNCED, Reason.CREATING, words)
        )


async def _missing(target: Target) -> Fact | None:
    """Return what is named by a raw id and does not exist.

    The server answers that with anything between a refusal and an error that may mean everything.
    """
    spec, client = target.spec, target.resolved.client
    if spec.connector_id is not None and await client.get_connector(spec.connector_id) is None:
        words = f"Connector {spec.connector_id} does not exist in OpenSearch. Create it, or change the id."
        return false(ConditionType.REFERENCES_RESOLVED, Reason.CONNECTOR_NOT_FOUND, words)
    if spec.model_group_id is not None and await client.get_group(spec.model_group_id) is None:
        words = (
            f"Model group {spec.model_group_id} does not exist in OpenSearch. Create it, or change the id."
        )
        return false(ConditionType.REFERENCES_RESOLVED, Reason.MODEL_GROUP_NOT_FOUND, words)
    return None
