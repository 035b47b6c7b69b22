"""Deletes one orphan, a step at a time, unless anybody can be seen to need it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from ...errors import MLCode, MLError
from .. import states
from ..model.removal import keep_down
from ..ports import MLCommons
from .search import Found

GOING: Final = "on its way out"
_REFUSED: Final = frozenset({MLCode.IN_USE, MLCode.BUSY, MLCode.FORBIDDEN, MLCode.REJECTED})


async def remove(client: MLCommons, orphan: Found, *, max_age: float) -> str | None:
    """Take one step towards its end; None when it is gone, else `GOING` or why it stays.

    What is known of pipelines and agents is at most `max_age` seconds old. Raises MLError when nothing clear
    can be said.
    """
    try:
        return await _needed(client, orphan, max_age) or await _step(client, orphan)
    except MLError as error:
        if error.code in _REFUSED:
            return error.message
        raise


async def _needed(client: MLCommons, orphan: Found, max_age: float) -> str | None:
    """Say who needs it, or what could not be looked at."""
    if orphan.kind != "model":
        users = await client.search_users(orphan.kind, orphan.hit.id)
        if users:
            return f"models need it: {', '.join(hit.id for hit in users[:10])}."
    if orphan.kind == "group":
        return None
    mentions = await client.mentions(orphan.hit.id, max_age=max_age)
    named = (*mentions.pipelines, *mentions.agents)
    if named:
        return f"named by {', '.join(named[:10])}."
    if mentions.unseen:
        return f"no permission to see whether {', '.join(mentions.unseen)} name it."
    return None


async def _step(client: MLCommons, orphan: Found) -> str | None:
    id_ = orphan.hit.id
    if orphan.kind == "connector":
        return await _delete(client.delete_connector, client.get_connector, id_)
    if orphan.kind == "group":
        return await _delete(client.delete_group, client.get_group, id_)
    if str(orphan.hit.source.get("model_state", "")) in {states.DEPLOYING, *states.LOADED}:
        await keep_down(client, orphan.hit)
        await client.undeploy_model(id_)
        return GOING
    return await _delete(client.delete_model, client.get_model, id_)


async def _delete(
    delete: Callable[[str], Awaitable[None]], get: Callable[[str], Awaitable[object | None]], id_: str
) -> str | None:
    await delete(id_)
    return None if await get(id_) is None else GOING
