"""The calls that the operator makes, by name: for the error table, for metrics, and for bounds."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Operation(StrEnum):
    """One kind of request; the values are the `operation` label of the request metrics."""

    GET_INFO = "get-info"
    CHECK_PLUGIN = "check-plugin"
    GET_SETTINGS = "get-settings"
    GET_NODES = "get-nodes"
    READ_SETTINGS = "read-settings"
    UPDATE_SETTINGS = "update-settings"
    CREATE_CONNECTOR = "create-connector"
    GET_CONNECTOR = "get-connector"
    SEARCH_CONNECTORS = "search-connectors"
    UPDATE_CONNECTOR = "update-connector"
    DELETE_CONNECTOR = "delete-connector"
    CREATE_GROUP = "create-group"
    GET_GROUP = "get-group"
    SEARCH_GROUPS = "search-groups"
    UPDATE_GROUP = "update-group"
    DELETE_GROUP = "delete-group"
    REGISTER_MODEL = "register-model"
    GET_MODEL = "get-model"
    SEARCH_MODELS = "search-models"
    UPDATE_MODEL = "update-model"
    DELETE_MODEL = "delete-model"
    DEPLOY_MODEL = "deploy-model"
    UNDEPLOY_MODEL = "undeploy-model"
    PROFILE_MODEL = "profile-model"
    PREDICT = "predict"
    GET_TASK = "get-task"
    GET_INGEST_PIPELINES = "get-ingest-pipelines"
    GET_SEARCH_PIPELINES = "get-search-pipelines"
    SEARCH_AGENTS = "search-agents"


HEALTH_CHECKS: Final = frozenset(
    {Operation.GET_INFO, Operation.CHECK_PLUGIN, Operation.GET_SETTINGS, Operation.GET_NODES}
)
"""Whoever sends these reports the result himself."""

SEARCHES: Final = frozenset(
    {
        Operation.SEARCH_CONNECTORS,
        Operation.SEARCH_GROUPS,
        Operation.SEARCH_MODELS,
        Operation.SEARCH_AGENTS,
    }
)
LONG_ANSWERS: Final = SEARCHES | {Operation.GET_INGEST_PIPELINES, Operation.GET_SEARCH_PIPELINES}
