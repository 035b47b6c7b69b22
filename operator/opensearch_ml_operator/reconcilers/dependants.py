"""What holds a remote object although no resource refers to it: pipelines, agents, strangers' models."""

from __future__ import annotations

from collections.abc import Collection

from ..constants import Reason
from ..errors import MLError
from ..models.common import ManagedStatus
from . import managed
from .outcome import Outcome
from .ports import Hit, MLCommons
from .session import Session

POLL = 15.0
"""Seconds between looks at what holds a deletion up; the looks of many deletions share their requests."""
_SHOWN = 10
_RETAIN = "or leave it in OpenSearch: kubectl annotate ... opensearchml.io/deletion-policy=Retain"


async def named(
    session: Session[ManagedStatus], client: MLCommons, ids: Collection[str], *, kind: str
) -> Outcome | None:
    """Wait for the pipelines and agents that name one of these ids; None when there are none.

    What we may not read holds nothing up: an Event says that it was not looked at. Raises MLError.
    """
    pipelines: set[str] = set()
    agents: set[str] = set()
    unseen: tuple[str, ...] = ()
    for id_ in ids:
        mentions = await client.mentions(id_)
        pipelines.update(mentions.pipelines)
        agents.update(mentions.agents)
        unseen = mentions.unseen
    if pipelines or agents:
        reason = Reason.USED_BY_PIPELINES if pipelines else Reason.USED_BY_AGENTS
        words = (
            f"Named by {_listed([*sorted(pipelines), *sorted(agents)])}: they would fail without this "
            f"{kind}. Delete them, have them name another one, {_RETAIN}"
        )
        return await _blocked(session, reason, words)
    if unseen:
        words = f"Not looked whether {', '.join(unseen)} name this {kind}: no permission to read them."
        session.event("DependantsUnknown", words, warning=True)
    return None


async def refused(
    session: Session[ManagedStatus], client: MLCommons, model_id: str, error: MLError
) -> Outcome:
    """Show why OpenSearch does not delete a model: it looks for itself with `safe_delete_model`.

    It compares the texts of agents word by word, so it may take strangers for users. Raises MLError.
    """
    mentions = await client.mentions(model_id)
    if not mentions.unseen:
        held = await named(session, client, [model_id], kind="model")
        if held is not None:
            return held
        words = (
            f"OpenSearch refuses: {error.message.rstrip('.')}. The operator has read all pipelines and "
            "agents, and none names this model. Set plugins.ml_commons.safe_delete_model to false for a "
            "moment, "
            f"{_RETAIN}"
        )
        return await _blocked(session, Reason.FALSE_CONFLICT, words)
    reason = Reason.USED_BY_PIPELINES if "pipeline" in error.message else Reason.USED_BY_AGENTS
    return await _blocked(session, reason, f"{error.message.rstrip('.')}, {_RETAIN}")


def strangers(models: Collection[Hit]) -> str:
    """Name models that are not managed here, as a person finds them: by name and id."""
    return _listed(sorted(f"{model.source.get('name', '')} ({model.id})" for model in models))


async def _blocked(session: Session[ManagedStatus], reason: Reason, words: str) -> Outcome:
    return await managed.blocked(session, reason, words, after=POLL)


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return f"{', '.join(names[:_SHOWN])} and {more} more" if more > 0 else ", ".join(names)
