"""Documents of every kind with the verdict that both judges must come to: pydantic and the API server.

A document is a kind and the changes to its minimal spec; a change to ABSENT removes the field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from . import cluster_connection_documents as cluster_connection
from . import connection_documents
from .rule_cases import ABSENT, PREDICT, RuleCase, UpdateCase, connector_rules, durations, inside

__all__ = ["ABSENT", "PREDICT", "RuleCase", "UpdateCase"]

MINIMAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "OpenSearchConnection": {"endpoints": ["https://opensearch.example:9200"]},
    "ClusterOpenSearchConnection": {"endpoints": ["https://opensearch.example:9200"]},
    "MLModelGroup": {"connectionRef": {"name": "main"}},
    "MLConnector": {"connectionRef": {"name": "main"}, "actions": [PREDICT]},
    "RemoteModel": {"connectorRef": {"name": "embeddings"}},
    "MLClusterSettings": {"connectionRef": {"name": "main"}},
}


def spec_of(kind: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the minimal spec of the kind with the changes made."""
    return {name: value for name, value in {**MINIMAL[kind], **changes}.items() if value is not ABSENT}


def _managed(kind: str) -> Iterator[RuleCase]:
    yield durations(
        kind,
        "resyncInterval",
        "at least 30s, or 0s for never",
        ("30s", "0s", "0h0m", "0.5m", "24h"),
        ("29s", "1ms", "29.999s"),
    )


def _connection(kind: str) -> Iterator[RuleCase]:
    yield durations(kind, "healthInterval", "between 5s and 1h", ("5s", "1h"), ("4s", "61m"))
    yield durations(kind, "orphans.after", "between 1h and 720h", ("1h", "720h"), ("59m", "721h"))
    yield durations(kind, "timeout.connect", "between 100ms and 1m", ("0.1s", "60s"), ("99ms", "2m"))
    yield durations(kind, "timeout.read", "between 1s and 5m", ("1000ms", "5m"), ("0s", "301s"))


def _adopting(kind: str) -> Iterator[RuleCase]:
    yield RuleCase(
        kind,
        "exactly one of id, name must be set",
        keeps=(
            {"adopt": {"id": "aBc_-1"}},
            {"adopt": {"name": "what others made", "ifMissing": "Create"}},
        ),
        breaks=({"adopt": {}}, {"adopt": {"id": "abc", "name": "abc"}}, {"adopt": {"ifMissing": "Fail"}}),
    )


def _access(kind: str) -> Iterator[RuleCase]:
    yield RuleCase(
        kind,
        "backendRoles and addAllBackendRoles are only for mode restricted",
        keeps=(
            {"access": {"mode": "public"}},
            {"access": {"mode": "private", "backendRoles": [], "addAllBackendRoles": False}},
            {"access": {"mode": "restricted", "backendRoles": ["search-team"]}},
        ),
        breaks=(
            {"access": {"mode": "public", "backendRoles": ["search-team"]}},
            {"access": {"mode": "private", "addAllBackendRoles": True}},
        ),
    )
    yield RuleCase(
        kind,
        "mode restricted needs either backendRoles or addAllBackendRoles",
        keeps=(
            {"access": {"mode": "restricted", "addAllBackendRoles": True}},
            {"access": {"mode": "restricted", "backendRoles": ["a", "b"], "addAllBackendRoles": False}},
        ),
        breaks=(
            {"access": {"mode": "restricted"}},
            {"access": {"mode": "restricted", "backendRoles": []}},
            {"access": {"mode": "restricted", "backendRoles": ["a"], "addAllBackendRoles": True}},
        ),
    )


RULES: Final[tuple[RuleCase, ...]] = (
    *_connection("OpenSearchConnection"),
    *(RuleCase("OpenSearchConnection", *case) for case in connection_documents.RULES),
    *_connection("ClusterOpenSearchConnection"),
    *(
        RuleCase(cluster_connection.KIND, *case)
        for case in cluster_connection.with_namespaces(connection_documents.RULES)
    ),
    *(RuleCase(cluster_connection.KIND, *case) for case in cluster_connection.RULES),
    *_managed("MLModelGroup"),
    *_adopting("MLModelGroup"),
    *_access("MLModelGroup"),
    *_managed("MLConnector"),
    *_adopting("MLConnector"),
    *_access("MLConnector"),
    *connector_rules("MLConnector", lambda changes: changes),
    *connector_rules("RemoteModel", inside),
    durations("MLConnector", "update.keepOldFor", "between 0s and 24h", ("0s", "24h"), ("24h1s",)),
    *_managed("RemoteModel"),
    *_adopting("RemoteModel"),
    RuleCase(
        "RemoteModel",
        "exactly one of connectorRef, connectorID, connector must be set",
        keeps=(
            {"connectorRef": {"name": "embeddings"}},
            inside({}),
            {"connectorRef": ABSENT, "connectorID": "aBc_-1", "connectionRef": {"name": "main"}},
        ),
        breaks=(
            {"connectorRef": ABSENT, "connectionRef": {"name": "main"}},
            {"connectorID": "aBc_-1", "connectionRef": {"name": "main"}},
            {"connector": {"actions": [PREDICT]}, "connectionRef": {"name": "main"}},
        ),
    ),
    RuleCase(
        "RemoteModel",
        "connectionRef may be left out only with connectorRef",
        keeps=({}, {"connectionRef": {"name": "main"}}),
        breaks=(
            {"connectorRef": ABSENT, "connectorID": "aBc_-1"},
            {"connectorRef": ABSENT, "connector": {"actions": [PREDICT]}},
        ),
    ),
    RuleCase(
        "RemoteModel",
        "at most one of modelGroupRef, modelGroupID may be set",
        keeps=({"modelGroupRef": {"name": "search"}}, {"modelGroupID": "aBc_-1"}),
        breaks=({"modelGroupRef": {"name": "search"}, "modelGroupID": "aBc_-1"},),
    ),
    *_managed("MLClusterSettings"),
    durations("RemoteModel", "healing.window", "between 1m and 24h", ("1m", "24h"), ("59s", "25h")),
    durations("RemoteModel", "healing.stuckAfter", "between 10s and 24h", ("10s", "1440m"), ("9s", "24h1ms")),
    durations("RemoteModel", "probe.interval", "at least 30s", ("30s", "24h"), ("29s", "0s")),
    RuleCase(
        "RemoteModel",
        "at most one of parameters, body may be set",
        keeps=(
            {"probe": {"parameters": {"input": ["hello"]}}},
            {"probe": {"mode": "Periodic", "body": {"text_docs": ["hello"]}}},
        ),
        breaks=({"probe": {"parameters": {}, "body": {"text_docs": ["hello"]}}},),
    ),
    RuleCase(
        "RemoteModel",
        "parameters or body must be set, unless mode is Off",
        keeps=(
            {"probe": {}},
            {"probe": {"mode": "Off"}},
            {"probe": {"mode": "Off", "parameters": {"input": ["hello"]}}},
            {"probe": {"mode": "OnChange", "parameters": {}}},
        ),
        breaks=({"probe": {"mode": "OnChange"}}, {"probe": {"mode": "Periodic", "interval": "1h"}}),
    ),
)

_SETTINGS: Final = {
    "safe_delete_model": True,
    "plugins.ml_commons.max_ml_task_per_node": 7,
    "model_auto_redeploy_success_ratio": 0.75,
    "exclude_nodes._name": "",
    "task_dispatcher.eligible_node_role.remote_model": ["data"],
}
_IMMUTABLE: Final = "connectionRef cannot be changed; delete the object and create it again"
_OWN: Final = "OpenSearch cannot move a model to or from a connector of its own; create another model"
UPDATE_RULES: Final[tuple[UpdateCase, ...]] = (
    *(
        UpdateCase(
            kind,
            _IMMUTABLE,
            before={},
            keeps=(
                {"deletionPolicy": "Retain"},
                {"connectionRef": {"kind": "OpenSearchConnection", "name": "main"}},
            ),
            breaks=({"connectionRef": {"name": "other"}},),
        )
        for kind in ("MLModelGroup", "MLConnector")
    ),
    UpdateCase(
        "MLClusterSettings",
        _IMMUTABLE,
        before={},
        keeps=({"onDelete": "Leave"}, {"settings": _SETTINGS}),
        breaks=({"connectionRef": {"name": "other"}},),
    ),
    UpdateCase(
        "RemoteModel",
        _IMMUTABLE,
        before={"connectionRef": {"name": "main"}},
        keeps=(
            {"connectionRef": {"name": "main"}, "connectorRef": {"name": "other"}},
            {"connectionRef": {"name": "main"}, "connectorRef": ABSENT, "connectorID": "aBc_-1"},
        ),
        breaks=({"connectionRef": {"name": "other"}}, {}),
    ),
    UpdateCase(
        "RemoteModel",
        _IMMUTABLE,
        before={},
        keeps=({"deploy": False}, {"modelGroupRef": {"name": "search"}}),
        breaks=({"connectionRef": {"name": "main"}},),
    ),
    UpdateCase(
        "RemoteModel",
        _OWN,
        before={"connectionRef": {"name": "main"}},
        keeps=({"connectionRef": {"name": "main"}, "connectorRef": {"name": "other"}},),
        breaks=(inside({}),),
    ),
    UpdateCase(
        "RemoteModel",
        _OWN,
        before=inside({}),
        keeps=(inside({"description": "changed"}),),
        breaks=({"connectionRef": {"name": "main"}},),
    ),
)

ACCEPTED: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    *((kind, {}) for kind in MINIMAL),
    ("OpenSearchConnection", {"endpoints": ["http://10.0.0.1", "https://[fd00::1]:9200/search/"]}),
    ("OpenSearchConnection", {"auth": {}}),
    ("OpenSearchConnection", {"orphans": {"policy": "Delete"}}),
    ("OpenSearchConnection", {"auth": {"basic": {"secretRef": {"name": "operator.user"}}}}),
    *(("OpenSearchConnection", {"auth": auth}) for auth in connection_documents.ACCEPTED),
    ("OpenSearchConnection", {"tls": {"caRef": {"kind": "ConfigMap", "name": "ca"}, "serverName": "os"}}),
    (
        "OpenSearchConnection",
        {"timeout": {}, "limits": {"maxInFlight": 64, "maxRegisters": 8, "maxDeploys": 1}},
    ),
    *((cluster_connection.KIND, changes) for changes in cluster_connection.ACCEPTED),
    *(
        (kind, {"connectionRef": {"kind": "ClusterOpenSearchConnection", "name": "shared"}})
        for kind in ("MLModelGroup", "MLConnector", "RemoteModel", "MLClusterSettings")
    ),
    ("MLModelGroup", {"name": "n" * 256, "description": "", "deletionPolicy": "Retain"}),
    ("MLModelGroup", {"name": "é" * 256}),
    (
        "MLConnector",
        {"parameters": {"model": "m", "dimensions": 256, "stop": None, "nested": [{"a": [1.5]}]}},
    ),
    ("MLConnector", {"protocol": "aws_sigv4", "version": "2"}),
    (
        "MLConnector",
        {"actions": [PREDICT, PREDICT | {"type": "batch_predict", "headers": {"X-Key": "${credential.k}"}}]},
    ),
    (
        "MLConnector",
        {"actions": [PREDICT | {"url": "${parameters.endpoint}/v1", "requestBody": "{}", "method": "PUT"}]},
    ),
    ("MLConnector", {"clientConfig": {"maxConnection": 1, "maxRetryTimes": -1, "skipSSLVerification": True}}),
    ("MLConnector", {"clientConfig": {"retryBackoffPolicy": "exponential_full_jitter"}}),
    ("RemoteModel", {"deploy": False, "enabled": False, "deploySetting": {"ttlMinutes": 5}}),
    ("RemoteModel", {"rateLimiter": {"limit": 1, "unit": "NANOSECONDS"}}),
    ("RemoteModel", {"guardrails": {"type": "local_regex", "input_guardrail": {"regex": ["a"]}}}),
    ("RemoteModel", {"interface": {"input": '{"type": "object"}'}}),
    ("RemoteModel", {"healing": {"enabled": False, "maxAttempts": 1}}),
    ("RemoteModel", {"probe": {"parameters": {"messages": [{"role": "user", "content": None}], "n": 1.5}}}),
    ("RemoteModel", {"probe": {"expect": {"jsonPath": "a-b[0][12].c_d", "dimension": 1024}}}),
    ("MLConnector", {"extra": {"provisioned_by": "search", "nested": {"a": [1, None]}}}),
    ("RemoteModel", {"extra": {"model_config": {"model_type": "text_embedding", "n": 1.5}}}),
    ("RemoteModel", inside({"protocol": "aws_sigv4", "extra": {"a": {"b": None}}, "name": "mine"})),
    ("RemoteModel", {"exportID": {"name": "ids"}}),
    ("RemoteModel", {"exportID": {"kind": "Secret", "name": "search.ids", "key": "MODEL_ID"}}),
    ("MLClusterSettings", {"settings": _SETTINGS, "onDelete": "Leave"}),
    ("MLClusterSettings", {"trustedEndpoints": {"add": ["^https://models.example/.*$", "x" * 256]}}),
)

REFUSED: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("OpenSearchConnection", {"endpoints": []}),
    ("OpenSearchConnection", {"endpoints": [f"https://os-{number}" for number in range(17)]}),
    ("OpenSearchConnection", {"endpoints": ["opensearch.example:9200"]}),
    ("OpenSearchConnection", {"endpoints": ["https://user:password@opensearch.example"]}),
    ("OpenSearchConnection", {"endpoints": ["https://opensearch.example/?key=1"]}),
    ("OpenSearchConnection", {"endpoints": ["https://opensearch.example\n"]}),
    ("OpenSearchConnection", {"endpoints": "https://opensearch.example"}),
    ("OpenSearchConnection", {"auth": {"basic": {}}}),
    ("OpenSearchConnection", {"auth": {"basic": {"secretRef": {"name": "Upper"}}}}),
    *(("OpenSearchConnection", {"auth": auth}) for auth in connection_documents.REFUSED),
    *(("OpenSearchConnection", {"limits": limits}) for limits in connection_documents.REFUSED_LIMITS),
    ("OpenSearchConnection", {"tls": {"caRef": {"kind": "Pod", "name": "ca"}}}),
    ("OpenSearchConnection", {"tls": {"caRef": {"kind": "Secret", "name": "ca", "key": "a/b"}}}),
    ("OpenSearchConnection", {"limits": {"maxInFlight": 65}}),
    ("OpenSearchConnection", {"limits": {"maxDeploys": 0}}),
    ("OpenSearchConnection", {"limits": {"maxRegisters": "4"}}),
    ("OpenSearchConnection", {"orphans": {"policy": "Retain"}}),
    ("OpenSearchConnection", {"orphans": "Delete"}),
    ("OpenSearchConnection", {"healthInterval": "30"}),
    ("OpenSearchConnection", {"healthInterval": 30}),
    ("OpenSearchConnection", {"healthInterval": "-30s"}),
    ("OpenSearchConnection", {"healthInterval": "٣0s"}),
    *((cluster_connection.KIND, changes) for changes in cluster_connection.REFUSED),
    ("MLConnector", {"connectionRef": {"kind": "Secret", "name": "main"}}),
    ("MLModelGroup", {"connectionRef": ABSENT}),
    ("MLModelGroup", {"connectionRef": {"name": ""}}),
    ("MLModelGroup", {"connectionRef": {"name": "main", "kind": "Cluster"}}),
    ("MLModelGroup", {"name": "n" * 257}),
    ("MLModelGroup", {"name": ""}),
    ("MLModelGroup", {"deletionPolicy": "delete"}),
    ("MLModelGroup", {"resyncInterval": "100000h"}),
    ("MLModelGroup", {"access": {"backendRoles": ["a"]}}),
    ("MLModelGroup", {"access": {"mode": "Public"}}),
    ("MLModelGroup", {"access": {"mode": "restricted", "backendRoles": ["a", "a"]}}),
    ("MLConnector", {"actions": ABSENT}),
    ("MLConnector", {"actions": []}),
    ("MLConnector", {"actions": [PREDICT, PREDICT]}),
    ("MLConnector", {"actions": [PREDICT | {"type": "Predict"}]}),
    ("MLConnector", {"actions": [PREDICT | {"method": "PATCH"}]}),
    ("MLConnector", {"actions": [PREDICT | {"url": "ftp://models.example"}]}),
    ("MLConnector", {"actions": [PREDICT | {"headers": {"X-Count": 1}}]}),
    ("MLConnector", {"actions": [{"type": "predict", "method": "POST"}]}),
    ("MLConnector", {"parameters": []}),
    ("MLConnector", {"parameters": {f"p{number}": 1 for number in range(129)}}),
    ("MLConnector", {"credentials": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]}),
    ("MLConnector", {"credentials": [{"name": "a b", "value": "1"}]}),
    ("MLConnector", {"clientConfig": {"readTimeout": "1500ms"}}),
    ("MLConnector", {"clientConfig": {"maxConnection": 0}}),
    ("MLConnector", {"clientConfig": {"maxRetryTimes": 1.5}}),
    ("MLConnector", {"clientConfig": {"retryBackoffPolicy": "linear"}}),
    ("MLConnector", {"update": {"strategy": "Recreate"}}),
    ("RemoteModel", {"connectorRef": {}}),
    ("RemoteModel", {"connectorRef": ABSENT, "connectorID": "a b", "connectionRef": {"name": "main"}}),
    ("RemoteModel", {"deploy": "true"}),
    ("RemoteModel", {"rateLimiter": {"limit": 0, "unit": "DAYS"}}),
    ("RemoteModel", {"rateLimiter": {"limit": 1}}),
    ("RemoteModel", {"rateLimiter": {"limit": 1, "unit": "minutes"}}),
    ("RemoteModel", {"deploySetting": {"ttlMinutes": -2}}),
    ("RemoteModel", {"interface": {"input": {"type": "object"}}}),
    ("RemoteModel", {"healing": {"maxAttempts": 0}}),
    ("MLConnector", {"extra": [1]}),
    ("RemoteModel", {"extra": {f"f{number}": 1 for number in range(129)}}),
    ("RemoteModel", inside({"actions": []})),
    ("RemoteModel", inside({"actions": [PREDICT, PREDICT]})),
    ("RemoteModel", inside({"actions": [PREDICT | {"url": "ftp://models.example"}]})),
    ("RemoteModel", {"exportID": {}}),
    ("RemoteModel", {"exportID": {"kind": "Deployment", "name": "ids"}}),
    ("RemoteModel", {"exportID": {"name": "Upper"}}),
    ("RemoteModel", {"exportID": {"name": "ids", "key": "a/b"}}),
    ("RemoteModel", {"probe": {"mode": "Always", "parameters": {}}}),
    ("RemoteModel", {"probe": {"parameters": []}}),
    ("RemoteModel", {"probe": {"expect": {"dimension": 0}}}),
    ("RemoteModel", {"probe": {"expect": {"jsonPath": "$.a"}}}),
    ("RemoteModel", {"probe": {"expect": {"jsonPath": "a..b"}}}),
    ("RemoteModel", {"probe": {"expect": {"jsonPath": "a[*]"}}}),
    ("RemoteModel", {"probe": {"expect": {"jsonPath": ""}}}),
    ("RemoteModel", {"probe": {"failureThreshold": 0}}),
    ("MLClusterSettings", {"connectionRef": ABSENT}),
    ("MLClusterSettings", {"settings": ["safe_delete_model"]}),
    ("MLClusterSettings", {"settings": {f"s{number}": 1 for number in range(129)}}),
    ("MLClusterSettings", {"trustedEndpoints": {}}),
    ("MLClusterSettings", {"trustedEndpoints": {"add": []}}),
    ("MLClusterSettings", {"trustedEndpoints": {"add": ["x" * 257]}}),
    ("MLClusterSettings", {"trustedEndpoints": {"add": ["a", "a"]}}),
    ("MLClusterSettings", {"onDelete": "restore"}),
)
