"""Which request is which operation, and the permission that it takes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property

from . import connectors, deploys, groups, models, pipelines, settings
from .cluster import Call, Cluster
from .documents import Doc

ML = "/_plugins/_ml"
_ML_ACTION = "cluster:admin/opensearch/ml/"

Handler = Callable[[Cluster, Call], Awaitable[Doc]]


@dataclass(frozen=True)
class Route:
    """One method on one path; `{id}` in the path is the object."""

    operation: str
    method: str
    path: str
    handler: Handler
    permission: str
    since: tuple[int, int] = (0, 0)
    """The release that brought it."""

    def match(self, path: str) -> re.Match[str] | None:
        """Match a whole path."""
        return self._pattern.fullmatch(path)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.path.replace("{id}", "(?P<id>(?!_[a-z]+$)[^/]+)"))


def _ml(
    operation: str,
    method: str,
    path: str,
    handler: Handler,
    permission: str,
    since: tuple[int, int] = (0, 0),
) -> Route:
    return Route(operation, method, ML + path, handler, _ML_ACTION + permission, since)


_AGENTS = (2, 13)


ROUTES = (
    Route("get-info", "GET", "/", settings.get_info, "cluster:monitor/main"),
    Route("get-settings", "GET", "/_cluster/settings", settings.get_settings, "cluster:monitor/state"),
    Route("get-nodes", "GET", "/_cluster/state/nodes", settings.get_nodes, "cluster:monitor/state"),
    Route(
        "put-settings", "PUT", "/_cluster/settings", settings.put_settings, "cluster:admin/settings/update"
    ),
    Route(
        "get-ingest-pipelines",
        "GET",
        "/_ingest/pipeline",
        pipelines.get_ingest_pipelines,
        "cluster:admin/ingest/pipeline/get",
    ),
    Route(
        "put-ingest-pipeline",
        "PUT",
        "/_ingest/pipeline/{id}",
        pipelines.put_ingest_pipeline,
        "cluster:admin/ingest/pipeline/put",
    ),
    Route(
        "delete-ingest-pipeline",
        "DELETE",
        "/_ingest/pipeline/{id}",
        pipelines.delete_ingest_pipeline,
        "cluster:admin/ingest/pipeline/delete",
    ),
    Route(
        "get-search-pipelines",
        "GET",
        "/_search/pipeline",
        pipelines.get_search_pipelines,
        "cluster:admin/search/pipeline/get",
    ),
    Route(
        "put-search-pipeline",
        "PUT",
        "/_search/pipeline/{id}",
        pipelines.put_search_pipeline,
        "cluster:admin/search/pipeline/put",
    ),
    Route(
        "delete-search-pipeline",
        "DELETE",
        "/_search/pipeline/{id}",
        pipelines.delete_search_pipeline,
        "cluster:admin/search/pipeline/delete",
    ),
    _ml("register-agent", "POST", "/agents/_register", pipelines.register_agent, "agents/register", _AGENTS),
    _ml("search-agents", "POST", "/agents/_search", pipelines.search_agents, "agents/search", _AGENTS),
    _ml("delete-agent", "DELETE", "/agents/{id}", pipelines.delete_agent, "agents/delete", _AGENTS),
    _ml("create-connector", "POST", "/connectors/_create", connectors.create_connector, "create_connector"),
    _ml(
        "search-connectors", "POST", "/connectors/_search", connectors.search_connectors, "connectors/search"
    ),
    _ml("get-connector", "GET", "/connectors/{id}", connectors.get_connector, "connectors/get"),
    _ml("update-connector", "PUT", "/connectors/{id}", connectors.update_connector, "connectors/update"),
    _ml("delete-connector", "DELETE", "/connectors/{id}", connectors.delete_connector, "connectors/delete"),
    _ml("create-group", "POST", "/model_groups/_register", groups.create_group, "register_model_group"),
    _ml("search-groups", "POST", "/model_groups/_search", groups.search_groups, "model_groups/search"),
    _ml("get-group", "GET", "/model_groups/{id}", groups.get_group, "model_groups/get", (2, 12)),
    _ml("update-group", "PUT", "/model_groups/{id}", groups.update_group, "update_model_group"),
    _ml("delete-group", "DELETE", "/model_groups/{id}", groups.delete_group, "model_groups/delete"),
    _ml("register-model", "POST", "/models/_register", models.register_model, "register_model"),
    _ml("search-models", "POST", "/models/_search", models.search_models, "models/search"),
    _ml("get-model", "GET", "/models/{id}", models.get_model, "models/get"),
    _ml("update-model", "PUT", "/models/{id}", models.update_model, "models/update", (2, 12)),
    _ml("delete-model", "DELETE", "/models/{id}", models.delete_model, "models/delete"),
    _ml("deploy-model", "POST", "/models/{id}/_deploy", deploys.deploy_model, "deploy_model"),
    _ml("undeploy-models", "POST", "/models/_undeploy", deploys.undeploy_models, "undeploy_models"),
    _ml("undeploy-model", "POST", "/models/{id}/_undeploy", deploys.undeploy_model, "undeploy_models"),
    _ml("predict", "POST", "/models/{id}/_predict", deploys.predict, "predict"),
    _ml("predict", "POST", "/_predict/remote/{id}", deploys.predict, "predict"),
    _ml("predict", "POST", "/_predict/text_embedding/{id}", deploys.predict, "predict"),
    _ml("predict", "POST", "/_predict/text_similarity/{id}", deploys.predict, "predict"),
    _ml("profile-model", "GET", "/profile/models/{id}", deploys.profile_model, "profile/nodes"),
    _ml("search-tasks", "POST", "/tasks/_search", models.search_tasks, "tasks/search"),
    _ml("get-task", "GET", "/tasks/{id}", models.get_task, "tasks/get"),
    _ml("delete-task", "DELETE", "/tasks/{id}", models.delete_task, "tasks/delete"),
)


def find(method: str, path: str, release: tuple[int, int] = (99, 0)) -> tuple[Route, str] | list[str]:
    """Return the route and the object's id, or the methods that the path would take in this release."""
    allowed: list[str] = []
    for route in ROUTES:
        match = route.match(path) if release >= route.since else None
        if match is not None and route.method == method:
            return route, match.groupdict().get("id", "")
        if match is not None:
            allowed.append(route.method)
    return allowed
