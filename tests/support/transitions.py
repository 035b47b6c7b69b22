"""Random specs of a whole set, and pairs of them: the second must look the same, first reached or fresh."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

Body = dict[str, Any]

IRREVOCABLE = ("rateLimiter", "guardrails", "interface")
"""OpenSearch cannot take these away from a model: the operator says so, and a test of its own shows it."""

_GUARDRAILS = {
    "type": "local_regex",
    "input_guardrail": {"stop_words": [], "regex": [".*abort.*"]},
}
_INPUT = '{"type": "object", "properties": {"parameters": {"type": "object"}}}'


@dataclass(frozen=True, slots=True)
class SetSpec:
    """The specs of one group, connector and model, without the names of what they refer to."""

    group: Body
    connector: Body
    model: Body
    own_group: bool
    """The model is in a group that the operator makes for it, not in the set's."""
    spare: bool
    """The model calls a second connector, not the set's."""


def random_set(random: Random) -> SetSpec:
    """Return specs that a server of any release accepts."""
    return SetSpec(
        group=_some(random, {"description": lambda: _words(random)}),
        connector=_connector(random),
        model=_model(random),
        own_group=random.random() < 0.2,
        spare=random.random() < 0.2,
    )


def transition(random: Random) -> tuple[SetSpec, SetSpec]:
    """Return specs, and others that can follow them."""
    first, second = random_set(random), random_set(random)
    for name in IRREVOCABLE:
        if name in first.model:
            second.model.setdefault(name, deepcopy(first.model[name]))
    return first, second


def spoiled(spec: SetSpec) -> SetSpec:
    """Return specs that the API server takes and OpenSearch, or the operator, does not."""
    connector = deepcopy(spec.connector)
    connector["actions"][0]["url"] = "https://untrusted.example.org/v1"
    return SetSpec(spec.group, connector, spec.model, spec.own_group, spec.spare)


def _connector(random: Random) -> Body:
    headers = {"Authorization": "Bearer ${credential.key}"}
    headers |= {name: "1" for name in ("X-First", "X-Second") if random.random() < 0.5}
    predict = {
        "type": "predict",
        "method": "POST",
        "headers": headers,
        "requestBody": '{"input": ${parameters.input}}',
        **_some(
            random,
            {
                "preProcessFunction": lambda: "connector.pre_process.openai.embedding",
                "postProcessFunction": lambda: "connector.post_process.openai.embedding",
            },
        ),
    }
    batch = {"type": "batch_predict", "method": "POST", "requestBody": '{"batch": 1}'}
    return {
        "parameters": {name: random.choice(["a", 7, [1, 2], True]) for name in _names(random)},
        "actions": [predict, batch] if random.random() < 0.3 else [predict],
        "update": {"keepOldFor": "0s"},
        **_some(
            random,
            {
                "description": lambda: _words(random),
                "version": lambda: str(random.randrange(3)),
                "clientConfig": lambda: {"maxConnection": 10 + random.randrange(3), "readTimeout": "20s"},
            },
        ),
    }


def _model(random: Random) -> Body:
    return _some(
        random,
        {
            "description": lambda: _words(random),
            "deploy": lambda: random.random() < 0.7,
            "enabled": lambda: random.random() < 0.7,
            "deploySetting": lambda: {
                "autoDeployEnabled": random.random() < 0.5,
                "ttlMinutes": random.choice([-1, 60]),
            },
            "rateLimiter": lambda: {"limit": 1000 + random.randrange(3), "unit": "MINUTES"},
            "guardrails": lambda: deepcopy(_GUARDRAILS),
            "interface": lambda: {"input": _INPUT},
        },
    )


def _some(random: Random, fields: Mapping[str, Callable[[], Any]]) -> Body:
    return {name: value() for name, value in fields.items() if random.random() < 0.5}


def _names(random: Random) -> list[str]:
    return [name for name in ("model", "size", "mode") if random.random() < 0.6]


def _words(random: Random) -> str:
    return random.choice(["For the shop.", "For the docs.", "Nothing special"])


_VOLATILE = frozenset(
    {
        "model_id",
        "created_time",
        "last_updated_time",
        "last_registered_time",
        "last_deployed_time",
        "last_undeployed_time",
        "auto_redeploy_retry_times",
        "current_worker_node_count",
        "planning_worker_node_count",
        "planning_worker_nodes",
        "deploy_to_all_nodes",
        "model_version",
        "latest_version",
        "owner",
        "schema_version",
    }
)
_MARK = re.compile(r" ?k8sml[0-9a-f]{32}[a-z]r\d+(?: [0-9a-f]{16})?(?: k8smlin[0-9a-f]{32})?")


_DOWN = {"UNDEPLOYED", "DEPLOY_FAILED"}


def picture(
    groups: Mapping[str, Body], connectors: Mapping[str, Body], models: Mapping[str, Body], prefix: str
) -> list[str]:
    """Return what of a set is on the server, without ids, times and the set's own name.

    Objects belong to the set whose prefix their names have; a reference shows the name of its object.
    """
    names = {id_: doc["name"] for kind in (groups, connectors) for id_, doc in kind.items()}
    found = []
    for kind, documents in (("group", groups), ("connector", connectors), ("model", models)):
        for doc in documents.values():
            if doc["name"].startswith(prefix):
                shown = {key: value for key, value in doc.items() if key not in _VOLATILE}
                if kind == "model":
                    shown |= _model_as_it_acts(doc, names)
                text = json.dumps(shown, sort_keys=True).replace(prefix, "")
                found.append(f"{kind} {_MARK.sub('', text)}")
    return sorted(found)


def _model_as_it_acts(doc: Body, names: Mapping[str, str]) -> Body:
    """Return the fields of a model that mean the same in different words."""
    defaults = {"is_auto_deploy_enabled": True, "model_ttl_minutes": -1}
    return {
        "connector_id": names[doc["connector_id"]],
        "model_group_id": names[doc["model_group_id"]],
        "is_enabled": doc.get("is_enabled", True),
        "deploy_setting": defaults | doc.get("deploy_setting", {}),
        # What is not to be deployed may never have been, or may have failed to be, before.
        "model_state": "REGISTERED" if doc["model_state"] in _DOWN else doc["model_state"],
    }
