"""Which permissions the user of a connection has, asked without changing anything.

Security tells nobody but an administrator what a user may do. So each permission is tried with a request
that the server refuses, or ignores, once Security has let it through: about an object that cannot exist,
about a group with two access fields that exclude each other (`MLModelGroupManager`), and about a connector
with `dry_run` (`TransportCreateConnectorAction` answers it before anything is stored).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ..errors import MLCode, MLError
from .operations import Operation
from .paths import BASE, COLLECTIONS
from .server import SETTINGS_PATH
from .transport import UNUSABLE, Transport

ML: Final = "cluster:admin/opensearch/ml/"
NOBODY: Final = "opensearch-ml-doctor-no-such-object"
_CONNECTORS, _GROUPS, _MODELS = (COLLECTIONS[kind].path for kind in ("connector", "group", "model"))
_PAGE: Final = {"size": 0}
_WORDS: Final = {"name": NOBODY, "description": ""}


class Grant(StrEnum):
    """Whether the user has a permission."""

    GRANTED = "granted"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Question:
    """A request that needs one permission, and has no effect."""

    permission: str
    operation: Operation
    method: str
    path: str
    body: Mapping[str, Any] | None = field(default=None, hash=False)


QUESTIONS: Final = (
    Question("cluster:monitor/main", Operation.GET_INFO, "GET", "/"),
    Question("cluster:monitor/state", Operation.READ_SETTINGS, "GET", SETTINGS_PATH),
    Question(
        f"{ML}create_connector",
        Operation.CREATE_CONNECTOR,
        "POST",
        f"{_CONNECTORS}/_create",
        {"name": NOBODY, "dry_run": True},
    ),
    Question(f"{ML}connectors/get", Operation.GET_CONNECTOR, "GET", f"{_CONNECTORS}/{NOBODY}"),
    Question(f"{ML}connectors/search", Operation.SEARCH_CONNECTORS, "POST", f"{_CONNECTORS}/_search", _PAGE),
    Question(f"{ML}connectors/update", Operation.UPDATE_CONNECTOR, "PUT", f"{_CONNECTORS}/{NOBODY}", _WORDS),
    Question(f"{ML}connectors/delete", Operation.DELETE_CONNECTOR, "DELETE", f"{_CONNECTORS}/{NOBODY}"),
    Question(
        f"{ML}register_model_group",
        Operation.CREATE_GROUP,
        "POST",
        f"{_GROUPS}/_register",
        {**_WORDS, "access_mode": "public", "backend_roles": [NOBODY]},
    ),
    Question(f"{ML}model_groups/get", Operation.GET_GROUP, "GET", f"{_GROUPS}/{NOBODY}"),
    Question(f"{ML}model_groups/search", Operation.SEARCH_GROUPS, "POST", f"{_GROUPS}/_search", _PAGE),
    Question(f"{ML}update_model_group", Operation.UPDATE_GROUP, "PUT", f"{_GROUPS}/{NOBODY}", _WORDS),
    Question(f"{ML}model_groups/delete", Operation.DELETE_GROUP, "DELETE", f"{_GROUPS}/{NOBODY}"),
    Question(
        f"{ML}register_model",
        Operation.REGISTER_MODEL,
        "POST",
        f"{_MODELS}/_register",
        {**_WORDS, "function_name": "remote", "connector_id": NOBODY, "model_group_id": NOBODY},
    ),
    Question(f"{ML}models/get", Operation.GET_MODEL, "GET", f"{_MODELS}/{NOBODY}"),
    Question(f"{ML}models/search", Operation.SEARCH_MODELS, "POST", f"{_MODELS}/_search", _PAGE),
    Question(f"{ML}models/update", Operation.UPDATE_MODEL, "PUT", f"{_MODELS}/{NOBODY}", _WORDS),
    Question(f"{ML}models/delete", Operation.DELETE_MODEL, "DELETE", f"{_MODELS}/{NOBODY}"),
    Question(f"{ML}deploy_model", Operation.DEPLOY_MODEL, "POST", f"{_MODELS}/{NOBODY}/_deploy"),
    Question(
        f"{ML}undeploy_model",
        Operation.UNDEPLOY_MODEL,
        "POST",
        f"{_MODELS}/_undeploy",
        {"model_ids": [NOBODY, f"{NOBODY}-2"]},
    ),
    Question(f"{ML}undeploy_models", Operation.UNDEPLOY_MODEL, "POST", f"{_MODELS}/{NOBODY}/_undeploy"),
    Question(f"{ML}profile/nodes", Operation.PROFILE_MODEL, "GET", f"{BASE}/profile/models/{NOBODY}"),
    Question(f"{ML}tasks/get", Operation.GET_TASK, "GET", f"{BASE}/tasks/{NOBODY}"),
    Question(f"{ML}agents/search", Operation.SEARCH_AGENTS, "POST", f"{BASE}/agents/_search", _PAGE),
    Question(
        "cluster:admin/ingest/pipeline/get",
        Operation.GET_INGEST_PIPELINES,
        "GET",
        "/_ingest/pipeline",
    ),
    Question(
        "cluster:admin/search/pipeline/get",
        Operation.GET_SEARCH_PIPELINES,
        "GET",
        "/_search/pipeline",
    ),
)
"""The permissions of deploy/opensearch-role/role.json, in its order."""

PREDICT: Final = Question(
    f"{ML}predict", Operation.PREDICT, "POST", f"{BASE}/_predict/remote/{NOBODY}", {"parameters": {}}
)
"""That of probe-role.json. At the model's own path the server looks for the model before it asks Security."""

SETTINGS: Final = Question(
    "cluster:admin/settings/update",
    Operation.UPDATE_SETTINGS,
    "PUT",
    "/_cluster/settings",
    {"persistent": {"plugins.ml_commons.no_such_setting": NOBODY}},
)
"""That of settings-role.json."""


async def ask_all(transport: Transport, questions: Iterable[Question]) -> dict[str, Grant]:
    """Try permissions, all at once. Raises MLError only when no call can get through."""
    page = await _answer(transport, _HAS_MODELS)
    indexed = isinstance(page, dict) and page.get("_shards", {}).get("total", 0) > 0
    asked = tuple(questions)
    grants = await asyncio.gather(*(_ask(transport, question, indexed=indexed) for question in asked))
    return {question.permission: grant for question, grant in zip(asked, grants, strict=True)}


async def _ask(transport: Transport, question: Question, *, indexed: bool) -> Grant:
    answer = await _answer(transport, question)
    if not isinstance(answer, MLError):
        # Before there is an index of models, the profile is empty without a look at the user's rights.
        known = indexed or question.operation is not Operation.PROFILE_MODEL
        return Grant.GRANTED if known else Grant.UNKNOWN
    # Security names the permission that it misses; every other answer has passed it.
    if question.permission in _NAMED.findall(answer.message):
        return Grant.MISSING
    unclear = answer.status is None or answer.code is MLCode.FORBIDDEN or _ONE_AT_A_TIME in answer.message
    return Grant.UNKNOWN if unclear else Grant.GRANTED


async def _answer(transport: Transport, question: Question) -> Any:
    try:
        return await transport.call(question.operation, question.method, question.path, question.body)
    except MLError as error:
        if error.code in UNUSABLE:
            raise
        return error


_HAS_MODELS: Final = Question(
    f"{ML}models/search", Operation.SEARCH_MODELS, "POST", f"{_MODELS}/_search", _PAGE
)
_NAMED: Final = re.compile(r"[a-z]+:[a-z0-9_/]+")
_ONE_AT_A_TIME: Final = "only support undeploy one model"
"""Where access control is on, the node is not asked: whether it would let the user through stays open."""
