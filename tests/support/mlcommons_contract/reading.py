"""Who answers, what is missing, and what searches find."""

from __future__ import annotations

import asyncio
from typing import Any

from opensearch_ml_operator.errors import MLCode, MLError

from .target import ML, Target, token, unique


async def server_info_names_version_and_capabilities(t: Target) -> None:
    info = await t.client.server_info()
    assert info.version.startswith(f"{t.release[0]}.{t.release[1]}.")
    assert info.distribution == "opensearch"
    assert info.cluster_name
    assert info.cluster_uuid
    secured = {"Security", "ConnectorAccessControl", "ModelAccessControl"} if t.secured else set()
    since = {"ProvisionedBy": (3, 7), "CustomIDs": (3, 9)}
    newer = {name for name, release in since.items() if t.release >= release}
    assert set(info.capabilities) == secured | {"AutoDeploy"} | newer


async def private_addresses_follow_the_setting(t: Target) -> None:
    name = "plugins.ml_commons.connector.private_ip_enabled"
    before = (
        (await t.raw("GET", "/_cluster/settings?flat_settings=true")).body.get("persistent", {}).get(name)
    )
    for value in (True, False):
        await t.raw("PUT", "/_cluster/settings", {"persistent": {name: value}})
        assert (await t.client.server_info()).private_addresses_allowed is value
    await t.raw("PUT", "/_cluster/settings", {"persistent": {name: before}})


async def how_many_tasks_it_takes_follows_the_setting(t: Target) -> None:
    name = "plugins.ml_commons.max_deploy_model_tasks_per_node"
    assert (await t.client.server_info()).tasks_at_once == {"register": 10, "deploy": 10}
    await t.raw("PUT", "/_cluster/settings", {"persistent": {name: 5}})
    assert (await t.client.server_info()).tasks_at_once == {"register": 10, "deploy": 5}
    await t.raw("PUT", "/_cluster/settings", {"persistent": {name: None}})


async def what_is_missing_is_none(t: Target) -> None:
    await _all_indices(t)
    assert await t.client.get_connector("missing1") is None
    assert await t.client.get_group("missing1") is None
    assert await t.client.get_model("missing1") is None
    assert await t.client.get_task("missing1") is None
    assert await t.client.loaded_nodes("missing1") == 0
    for kind in ("connector", "group", "model"):
        assert await t.client.search_marker(kind, token()) == ()
        assert await t.client.search_name(kind, token()) == ()
        assert await t.client.observe(kind, "missing1", max_age=0) is None


async def deleting_what_is_missing_is_no_error(t: Target) -> None:
    await _all_indices(t)
    await t.client.delete_connector("missing1")
    await t.client.delete_group("missing1")
    await t.client.delete_model("missing1")


async def answers_about_missing_objects(t: Target) -> None:
    await _all_indices(t)
    given = "with the provided"
    expected = {
        ("GET", "connectors"): f"Failed to find connector {given} connector id: missing1",
        ("GET", "model_groups"): f"Failed to find model group {given} model group id: missing1",
        ("PUT", "model_groups"): f"Failed to find model group {given} model group id: missing1",
        ("GET", "models"): f"Failed to find model {given} model id: missing1",
        ("PUT", "models"): f"Failed to find model to update {given} model id: missing1",
        ("DELETE", "models"): "Failed to find model",
        ("GET", "tasks"): "Failed to find task",
    }
    for (method, collection), words in expected.items():
        body = {"description": "x"} if method == "PUT" else None
        answer = await t.raw(method, f"{ML}/{collection}/missing1", body)
        assert answer.error == (404, "status_exception", words), (method, collection)
    for verb in ("_deploy", "_undeploy"):
        answer = await t.raw("POST", f"{ML}/models/missing1/{verb}")
        assert answer.error == (404, "status_exception", "Failed to find model")
    for collection in ("connectors", "model_groups"):
        answer = await t.raw("DELETE", f"{ML}/{collection}/missing1")
        assert (answer.status, answer.body["result"]) == (200, "not_found")


async def unknown_routes_carry_a_string(t: Target) -> None:
    path = f"{ML}/no_such/endpoint"
    answer = await t.raw("GET", path)
    assert (answer.status, answer.body) == (
        400,
        {"error": f"no handler found for uri [{path}] and method [GET]"},
    )
    answer = await t.raw("POST", f"{ML}/models/missing1", {})
    assert answer.status == 405
    assert isinstance(answer.body["error"], str)


async def refused_credentials_are_plain_text(t: Target) -> None:
    if t.secured:
        response = await t.http.get("/", auth=("nobody", "wrong"))
        assert (response.status_code, response.text) == (401, "Unauthorized")


async def a_marker_is_found_at_once_and_exactly(t: Target) -> None:
    marker = token()
    made = {
        "connector": await t.connector(description=f"Some text. {marker}"),
        "group": await t.group(description=f"Some text. {marker}"),
    }
    made["model"] = await t.model(
        connector_id=made["connector"], model_group_id=made["group"], description=f"Some text. {marker}"
    )
    for kind, object_id in made.items():
        hits = await t.client.search_marker(kind, marker)
        (found,) = hits
        wanted = await t.document(kind, object_id)
        late = {"latest_version", "last_updated_time"} if kind == "group" else set()  # 2.x: updates come late
        assert found.id == object_id
        assert {k: found.source[k] for k in found.source.keys() - late} == {
            k: wanted[k] for k in wanted.keys() - late
        }
        assert await t.client.search_marker(kind, marker[:-1]) == ()
        assert await t.client.search_marker(kind, marker.upper()) == ()


async def markers_asked_for_at_the_same_time_are_told_apart(t: Target) -> None:
    tokens = [token() for _ in range(4)]
    stems = [f"{token()}r" for _ in range(2)]
    missing = token()
    made = [await t.group(description=f"Some text. {each}") for each in tokens]
    revisions = [await t.group(description=f"{stem}{number}") for stem in stems for number in (1, 12)]
    found = await asyncio.gather(
        *(t.client.search_marker("group", each) for each in (*tokens, missing)),
        *(t.client.search_markers("group", stem) for stem in stems),
    )
    assert [{hit.id for hit in hits} for hits in found] == [
        *({id_} for id_ in made),
        set(),
        set(revisions[:2]),
        set(revisions[2:]),
    ]


async def a_name_is_found_letter_for_letter(t: Target) -> None:
    """Two connectors and two models may have one name; two groups may not."""
    name = f"Of {token()}"
    group = await t.group(name=name)
    connectors = {await t.connector(name=name), await t.connector(name=name)}
    more = {"connector_id": min(connectors), "model_group_id": group}
    models = {await t.model(name=name, **more), await t.model(name=name, **more)}
    await t.model(name=f"{name} and more", **more)
    for kind, made in (("group", {group}), ("connector", connectors), ("model", models)):
        hits = await t.client.search_name(kind, name)
        assert {hit.id for hit in hits} == made
        assert {hit.source["name"] for hit in hits} == {name}
        assert await t.client.search_name(kind, name.lower()) == ()
        assert await t.client.search_name(kind, name.removeprefix("Of ")) == ()


async def searches_take_ids_terms_and_phrases(t: Target) -> None:
    marker, other = token(), token()
    group = await t.group()
    model = await t.model(model_group_id=group, description=f"{marker}-{other}")
    connector = (await t.document("model", model))["connector_id"]
    found: list[tuple[dict[str, Any], bool]] = [
        ({"ids": {"values": [model, "missing1"]}}, True),
        ({"term": {"model_group_id": group}}, True),
        ({"term": {"connector_id.keyword": connector}}, True),
        ({"term": {"algorithm": "REMOTE"}}, True),
        ({"term": {"description": marker}}, True),
        ({"term": {"description": f"{marker}-{other}"}}, False),
        ({"term": {"description.keyword": f"{marker}-{other}"}}, False),
        ({"match": {"description": f"{other} something"}}, True),
        ({"match_phrase": {"description": f"{marker} {other}"}}, True),
        ({"match_phrase": {"description": f"{other} {marker}"}}, False),
        ({"prefix": {"description": marker[:-4]}}, True),
        ({"bool": {"must": [{"term": {"model_group_id": group}}], "must_not": [{"match_all": {}}]}}, False),
    ]
    for query, hit in found:
        answer = await t.raw("POST", f"{ML}/models/_search", {"query": query, "size": 1000})
        ids = [each["_id"] for each in answer.body["hits"]["hits"]]
        assert (model in ids) is hit, query


async def searches_are_refused(t: Target) -> None:
    await _all_indices(t)
    answer = await t.raw("POST", f"{ML}/models/_search")
    assert answer.error == (400, "parse_exception", "request body or source parameter is required")
    answer = await t.raw("POST", f"{ML}/models/_search", {"query": {"bogus": {}}})
    assert answer.error == (400, "parsing_exception", "unknown query [bogus]")
    answer = await t.raw("POST", f"{ML}/models/_search", {"size": 10_001})
    assert answer.status == 500
    assert "Result window is too large" in answer.error[2]


async def observing_reads_what_was_written_last(t: Target) -> None:
    model = await t.model(description="before")
    others = [await t.model(description="before") for _ in range(3)]
    for object_id in (model, *others):
        assert await t.client.observe("model", object_id, max_age=60) is not None
    await t.client.update_model(model, {"description": "after"})
    hit = await t.client.observe("model", model, max_age=0)
    assert hit is not None
    assert hit.source == await t.document("model", model)
    assert hit.source["description"] == "after"


async def observing_many_reads_the_same_as_one(t: Target) -> None:
    for make, kind in ((t.connector, "connector"), (t.group, "group"), (t.model, "model")):
        ids = [await make(description=unique("description")) for _ in range(3)]
        for _ in range(2):
            for object_id in ids:
                hit = await t.client.observe(kind, object_id, max_age=0)
                assert hit is not None
                assert hit.source == await t.document(kind, object_id)


async def ids_that_lead_elsewhere_are_not_sent(t: Target) -> None:
    for hostile in ("", "..", "../../_cluster/settings", "_search", "a/b", "a?b", "a%2fb"):
        try:
            await t.client.get_model(hostile)
        except MLError as error:
            assert error.code is MLCode.REJECTED  # noqa: PT017 - each of several ids must raise
            continue
        raise AssertionError(hostile)


async def _all_indices(t: Target) -> None:
    """Make sure that each index exists: answers differ when it does not."""
    await t.model()


CHECKS = (
    server_info_names_version_and_capabilities,
    how_many_tasks_it_takes_follows_the_setting,
    private_addresses_follow_the_setting,
    what_is_missing_is_none,
    deleting_what_is_missing_is_no_error,
    answers_about_missing_objects,
    unknown_routes_carry_a_string,
    refused_credentials_are_plain_text,
    a_marker_is_found_at_once_and_exactly,
    markers_asked_for_at_the_same_time_are_told_apart,
    a_name_is_found_letter_for_letter,
    searches_take_ids_terms_and_phrases,
    searches_are_refused,
    observing_reads_what_was_written_last,
    observing_many_reads_the_same_as_one,
    ids_that_lead_elsewhere_are_not_sent,
)
