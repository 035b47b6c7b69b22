"""Changes in place, and the strategy Redeploy: models are kept undeployed while one is made.

The connector asks for it in its status (`modelsHeldSince`), each model undeploys itself and says so, and when
the field is gone it deploys itself again: the deployment of a model has one owner, and its healing does not
interfere. It is asked for only when the server refuses the change because of these very models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...constants import ConditionType, Reason
from ...errors import MLCode, MLError
from ...models.connector import MLConnectorStatus
from ...models.snapshot import Snapshot
from .. import references
from ..conditions import Fact, false
from ..outcome import Outcome
from ..ports import MLCommons
from ..records import moment
from ..session import Session
from ..states import DOWN
from .target import Wanted, resolved
from .users import users

BLOCKED = 60.0
"""Seconds until a change that somebody else holds up is tried again."""
_WAIT = 5.0
"""Seconds until models are looked at that should have woken us when they were undeployed."""


async def change(
    session: Session[MLConnectorStatus], client: MLCommons, id_: str, body: Mapping[str, Any]
) -> None:
    """Change the connector in place, whatever its strategy; raises MLError.

    A call that an undeployed model refuses makes the node remember the model, and take it for a user of its
    connector (2.19, 3.6 seen). So when all that the server names are down, they are undeployed once more for
    a change at once: a model that is held, or is to stay down, is not deployed by anybody else.
    """
    try:
        await client.update_connector(id_, body)
    except MLError as error:
        named = {str(user.status.get("id")): user for user in users(session)}
        down = all(model in named and _is_down(named[model]) for model in error.ids)
        if error.code is not MLCode.IN_USE or not error.ids or not down:
            raise
        for model in error.ids:
            await client.undeploy_model(model)
        await client.update_connector(id_, body)


def _is_down(model: Snapshot) -> bool:
    """Whether it is undeployed, or never was deployed, and nobody but a person would deploy it now."""
    held = model.condition(ConditionType.DEPLOYED).get("reason") == Reason.UPDATING
    down = model.status.get("state") in DOWN
    return down and (held or model.spec.get("deploy") is False)


async def wait(session: Session[MLConnectorStatus], wanted: Wanted, error: MLError) -> Outcome:
    """Have the models undeployed that the server names; or say which of them cannot be."""
    named = {str(user.status.get("id")): user for user in users(session)}
    blocked = await _strangers(session, wanted, tuple(id_ for id_ in error.ids if id_ not in named))
    blocked = blocked or _unmovable(session, tuple(named[id_] for id_ in error.ids if id_ in named))
    if blocked is not None:
        await session.record(*resolved(), blocked, models_held_since=None)
        return Outcome(requeue_after=BLOCKED)
    held = [named[id_].key for id_ in error.ids]
    which = references.names(tuple(held), session.snapshot.key.namespace)
    words = f"Waiting until {which} is undeployed; it is deployed again after the change."
    since = session.status.models_held_since or session.now
    began = moment(since)
    waited = (session.ports.now() - began).total_seconds() if began is not None else 0.0
    await session.record(
        *resolved(), false(ConditionType.SYNCED, Reason.UPDATING, words), models_held_since=since
    )
    for key in held:
        session.ports.wake(key)
    return Outcome(requeue_after=max(_WAIT, waited))


async def _strangers(
    session: Session[MLConnectorStatus], wanted: Wanted, ids: tuple[str, ...]
) -> Fact | None:
    """Return who uses the connector, or seems to, and is no model of a RemoteModel."""
    if not ids:
        return None
    real = await real_users(wanted.client, session.status.id, ids)
    if real:
        words = f"Models {', '.join(real)}, which are not managed here, use it. Undeploy them first."
        return false(ConditionType.SYNCED, Reason.USED_BY_MODELS, words)
    return false_conflict(ids, "Undeploy those models, or use spec.update.strategy Swap.")


async def real_users(client: MLCommons, connector_id: str | None, ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of the models that the server names really point at the connector."""
    read = [await client.get_model(model_id) for model_id in ids]
    return tuple(hit.id for hit in read if hit and hit.source.get("connector_id") == connector_id)


def false_conflict(ids: tuple[str, ...], remedy: str) -> Fact:
    """Say that none of the models that the server names uses the connector."""
    words = (
        f"OpenSearch takes {', '.join(ids)} for users of this connector, which they are not: it compares ids "
        f"piece by piece. {remedy}"
    )
    return false(ConditionType.SYNCED, Reason.FALSE_CONFLICT, words)


def _unmovable(session: Session[MLConnectorStatus], models: tuple[Snapshot, ...]) -> Fact | None:
    """Return which models the operator may not undeploy."""
    fixed = tuple(model.key for model in models if model.held)
    if not fixed:
        return None
    which = references.names(fixed, session.snapshot.key.namespace)
    words = f"{which} is deployed, and suspended or only observed. Resume or undeploy it."
    return false(ConditionType.SYNCED, Reason.USED_BY_MODELS, words)
