"""The connectors that are made for one MLConnector, one after the other: how one comes, and how it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...constants import ConditionType, Reason
from ...errors import MLCode, MLError
from ...models.common import seconds
from ...models.connector import MLConnectorStatus, PreviousConnector
from .. import managed
from ..conditions import Fact, false
from ..creation.protocol import Role
from ..creation.steps import Created, Creation
from ..outcome import Outcome
from ..ports import MLCommons
from ..records import digest, moment
from ..references import Connected, Unknown
from ..session import Session
from . import bodies
from .target import Wanted
from .trial import Trials
from .users import users

MOST_PREVIOUS = 15
"""Revisions that are kept at once; more are not made, because status could not name them."""
_HELD_POLL = 30.0
_TIDYING = 60.0
"""Seconds after the request to delete for which a trial is cleared away before a connector is let go."""
_HYPHEN_TRIES = 5
"""A bound only: more than two tries are rare."""
_CHANGING = frozenset({1, 16, 17, 18})
"""Places of a hyphen in an id that the next id does not have, and where it cuts off a short piece.

Those between them hold the time in minutes and the node, which the next id has too; at both ends it cuts
nothing off. Source: TimeBasedUUIDGenerator of OpenSearch, in base64.
"""


class Revisions:
    """Makes revisions, and deletes those that nobody needs any more."""

    def __init__(self, creation: Creation) -> None:
        self._creation = creation

    async def make(
        self, session: Session[MLConnectorStatus], wanted: Wanted, *, revision: int
    ) -> Created | Outcome:
        """Create a revision; what has come of it is the caller's to record at once."""
        status = session.status
        if status.id is not None and len(status.previous) >= MOST_PREVIOUS and status.pending is None:
            return await self._too_many(session, wanted)
        mark = bodies.mark(session.snapshot, revision, wanted.applied)
        body = bodies.create_body(wanted.content, mark, credential=wanted.credentials.values)
        return await self._without_hyphen(session, wanted.client, body, revision, digest(wanted.applied))

    async def drop_previous(
        self, session: Session[MLConnectorStatus], wanted: Wanted
    ) -> list[PreviousConnector]:
        """Delete the earlier revisions that are old enough and that no model points at; return the rest."""
        in_use = {user.status.get("connectorID") for user in users(session)}
        kept = []
        for previous in session.status.previous:
            if previous.id in in_use or _age(session, previous) < seconds(wanted.spec.update.keep_old_for):
                kept.append(previous)
                continue
            try:
                if not await remover(wanted.client).remove(previous.id):
                    kept.append(previous)
            except MLError as error:
                if error.code is not MLCode.IN_USE:
                    raise
                kept.append(previous)
        return kept

    async def tidy(
        self, session: Session[MLConnectorStatus], connected: Connected | Fact | Unknown, trials: Trials
    ) -> Outcome | None:
        """Take away what was being tried when a connector is let go; None when that is done, or will not be.

        Nobody else knows of it. But a connector may be let go because its cluster is gone for good.
        """
        candidate = session.status.candidate
        deleted = moment(session.snapshot.deleted)
        late = deleted is None or (session.ports.now() - deleted).total_seconds() > _TIDYING
        if late or (candidate is None and session.status.trial is None):
            return None
        if not isinstance(connected, Connected):
            return Outcome(requeue_after=1)
        try:
            waiting = await trials.clear(session, connected.client)
            if waiting is None and candidate is not None:
                gone = await remover(connected.client).remove(candidate.id)
                waiting = None if gone else Outcome(requeue_after=managed.DELETE_POLL)
        except MLError:
            return Outcome(requeue_after=1)
        return waiting

    async def _too_many(self, session: Session[MLConnectorStatus], wanted: Wanted) -> Outcome:
        """Make no further revision before an earlier one could be deleted."""
        kept = await self.drop_previous(session, wanted)
        words = f"{len(kept)} earlier revisions are still kept; the change waits until the oldest can go."
        await session.record(false(ConditionType.SYNCED, Reason.SWAPPING, words), previous=kept)
        return Outcome(requeue_after=0 if len(kept) < MOST_PREVIOUS else 30)

    async def _without_hyphen(
        self,
        session: Session[MLConnectorStatus],
        client: MLCommons,
        body: Mapping[str, Any],
        revision: int,
        hash_: str,
    ) -> Created | Outcome:
        """Create, and again when the new id has a hyphen in it that the next one need not have.

        The server's own "who uses this connector" splits ids at hyphens and then takes strangers for users
        (18 of 588 ids on 2.19). Nobody knows the new id yet, so it can be given back.
        """
        reason = Reason.SWAPPING if session.status.id else Reason.CREATING
        for left in reversed(range(_HYPHEN_TRIES)):
            created = await self._creation.run(
                session,
                client,
                role=Role.CONNECTOR,
                revision=revision,
                hash_=hash_,
                post=lambda: client.create_connector(body),
                reason=reason,
            )
            if isinstance(created, Outcome) or not left or not _is_worth_another_try(created.id):
                return created
            if session.status.pending is None:
                return created  # it is not new: somebody may know it
            try:
                await client.delete_connector(created.id)
            except MLError as error:
                if error.code is not MLCode.IN_USE:
                    raise
                return created  # the very mistake this is about: it cannot be given back, so it stays
            if await client.get_connector(created.id) is not None:
                return Outcome(retry=True)
            await self._creation.again(session)
        return Outcome(retry=True)


def _is_worth_another_try(connector_id: str) -> bool:
    return any(char == "-" and place in _CHANGING for place, char in enumerate(connector_id))


def remover(client: MLCommons) -> managed.Remover:
    """Return what deletes a connector and proves it."""
    return managed.Remover(get=client.get_connector, delete=client.delete_connector)


def rest(session: Session[MLConnectorStatus], wanted: Wanted) -> Outcome:
    """Come back at the next resync, or earlier when a previous revision can go."""
    keep = seconds(wanted.spec.update.keep_old_for)
    used = {user.status.get("connectorID") for user in users(session)}
    due = []
    for previous in session.status.previous:
        left = keep - _age(session, previous)
        # One that is overdue is in use. A model of ours wakes us when it has moved on; no other does.
        overdue = managed.NET if previous.id in used else _HELD_POLL
        due.append(left + 1 if left > 0 else overdue)
    resync = managed.resync(wanted.spec.resync_interval)
    return Outcome(requeue_after=min([*due, resync] if resync else due, default=None))


def _age(session: Session[MLConnectorStatus], previous: PreviousConnector) -> float:
    since = moment(previous.since)
    return (session.ports.now() - since).total_seconds() if since is not None else 0.0
