"""Connectors."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.errors import MLCode, MLError

from .target import ML, Target, until

_SAFE = "can only contain letters, numbers, spaces, and basic punctuation (.,!?():@-_'/\")"
_TRUSTED = "plugins.ml_commons.trusted_connector_endpoints_regex"


async def a_connector_is_shown_as_text_and_without_its_credential(t: Target) -> None:
    body = t.connector_body(
        description="text",
        version=2,
        parameters={"number": 1, "flag": True, "object": {"x": [1]}, "text": "s", "part": 1.5},
        client_config={"max_connection": 7},
        connector_id="chosen1",
        bogus="ignored",
    )
    connector = t.made("connector", await t.client.create_connector(body))
    assert (connector == "chosen1") is (t.release >= (3, 9))
    document = await t.document("connector", connector)
    for name in ("created_time", "last_updated_time"):
        assert isinstance(document.pop(name), int)
    assert (document.pop("owner", None), document.pop("access", None)) != (None, None) or not t.secured
    timeout = 30 if t.is_3 else 30_000
    config = {
        "max_connection": 7,
        "connection_timeout": timeout,
        "read_timeout": timeout,
        "retry_backoff_millis": 200,
        "retry_timeout_seconds": 30,
        "max_retry_times": 0,
        "retry_backoff_policy": "constant",
        **({"skip_ssl_verification": False} if t.is_3 else {}),
    }
    if not t.is_3:
        config["read_timeout"] = document["client_config"]["read_timeout"]
        assert config["read_timeout"] in {30, 30_000}
    assert document == {
        "name": "contract",
        "description": "text",
        "version": "2",
        "protocol": "http",
        "parameters": {"number": "1", "flag": "true", "object": '{"x":[1]}', "text": "s", "part": "1.5"},
        "actions": [{**t.action(), "action_type": "PREDICT"}],
        "client_config": config,
    }


async def bad_connectors_are_refused(t: Target) -> None:
    illegal = "illegal_argument_exception"
    cases: list[tuple[dict[str, Any], tuple[int, str, str]]] = [
        ({"name": None}, (400, illegal, "Connector name is null")),
        ({"version": None}, (400, illegal, "Connector version is null")),
        ({"protocol": None}, (400, illegal, "Connector protocol is null")),
        ({"actions": None}, (400, illegal, "No actions configured for this connector")),
        ({"credential": None}, (400, illegal, "Connector credential is null or empty list")),
        ({"credential": {}}, (400, illegal, "Connector credential is null or empty list")),
        ({"protocol": "aws_sigv4"}, (400, illegal, "Missing credential")),
        ({"actions": [t.action(method=None)]}, (400, illegal, "method can't be null")),
        ({"actions": [t.action(url=None)]}, (400, illegal, "url can't be null")),
    ]
    for changes, error in cases:
        answer = await t.raw("POST", f"{ML}/connectors/_create", t.connector_body(**changes))
        assert answer.error == error, changes
    answer = await t.raw("POST", f"{ML}/connectors/_create", t.connector_body(credential={"key": {"a": 1}}))
    assert answer.error[:2] == (500, "illegal_state_exception")
    assert answer.error[2].startswith("Can't get text on a START_OBJECT at ")
    answer = await t.raw("POST", f"{ML}/connectors/_create", {**t.connector_body(), "name": None})
    assert answer.error[:2] == (500, "illegal_state_exception")


async def unsafe_text_is_refused_since_3_1(t: Target) -> None:
    for field in ("name", "description"):
        body = t.connector_body(**{field: "a=b;"})
        if t.is_3:
            with pytest.raises(MLError) as refused:
                await t.client.create_connector(body)
            assert refused.value.code is MLCode.REJECTED
            assert refused.value.message == f"Validation Failed: 1: Model connector {field} {_SAFE};"
        else:
            t.made("connector", await t.client.create_connector(body))


async def an_unknown_protocol_is_refused(t: Target) -> None:
    with pytest.raises(MLError) as refused:
        await t.client.create_connector(t.connector_body(protocol="bogus"))
    words = (
        "Unsupported connector protocol. Please use one of [aws_sigv4, http, mcp_sse, mcp_streamable_http]"
        if t.is_3
        else "Can't find class for type bogus"
    )
    assert (refused.value.code, refused.value.message) == (MLCode.REJECTED, words)


async def an_untrusted_endpoint_is_refused_and_secrets_in_the_words_are_masked(t: Target) -> None:
    url = "https://${parameters.host}/contract-secret"
    body = t.connector_body(parameters={"host": "untrusted.example"}, actions=[t.action(url=url)])
    with pytest.raises(MLError) as refused:
        await t.client.create_connector(body)
    words = "Connector URL is not matching the trusted connector endpoint regex"
    shown = "" if t.is_3 else ", URL is: https://untrusted.example/***"
    assert (refused.value.code, refused.value.message) == (MLCode.ENDPOINT_NOT_TRUSTED, words + shown)


async def a_broken_trusted_list_refuses_every_connector(t: Target) -> None:
    settings = await t.raw("GET", "/_cluster/settings?flat_settings=true")
    before = settings.body.get("persistent", {}).get(_TRUSTED)
    answer = await t.raw("PUT", "/_cluster/settings", {"persistent": {_TRUSTED: ["["]}})
    assert answer.status == 200
    try:
        with pytest.raises(MLError) as refused:
            await t.client.create_connector(t.connector_body())
    finally:
        await t.raw("PUT", "/_cluster/settings", {"persistent": {_TRUSTED: before}})
    assert refused.value.code is MLCode.ENDPOINT_NOT_TRUSTED
    assert refused.value.message.startswith("Unclosed character class near index 0")


async def access_fields_need_access_control(t: Target) -> None:
    body = t.connector_body(access_mode="private")
    if t.secured:
        document = await t.document("connector", t.made("connector", await t.client.create_connector(body)))
        assert document["access"] == "private"
        return
    with pytest.raises(MLError) as refused:
        await t.client.create_connector(body)
    assert refused.value.code is MLCode.REJECTED
    assert refused.value.message == (
        "You cannot specify connector access control parameters because the Security plugin or connector "
        "access control is disabled on your cluster."
    )


async def a_used_connector_stays_whatever_the_model_does(t: Target) -> None:
    connector = await t.connector()
    model = await t.model(connector_id=connector)
    with pytest.raises(MLError) as refused:
        await t.client.delete_connector(connector)
    assert (refused.value.code, refused.value.ids) == (MLCode.IN_USE, (model,))
    assert refused.value.message == (
        f"1 models are still using this connector, please delete or update the models first: [{model}]"
    )
    await t.client.delete_model(model)
    await t.client.delete_connector(connector)
    assert await t.client.get_connector(connector) is None


async def a_stranger_that_shares_a_word_of_the_id_blocks_deletion(t: Target) -> None:
    connector = await t.connector()
    word = max(connector.lower().split("-"), key=len)
    if t.release < (3, 9):
        stranger = await t.model(connector_id=f"{word}-stranger", interface={"input": "{}"})
    else:  # a register looks for the connector, a change does not
        stranger = await t.model()
        await t.client.update_model(stranger, {"connector_id": f"{word}-stranger"})
    with pytest.raises(MLError) as refused:
        await t.client.delete_connector(connector)
    assert (refused.value.code, refused.value.ids) == (MLCode.IN_USE, (stranger,))
    await t.client.delete_model(stranger)
    await until(lambda: _deleted(t, connector))


async def _deleted(t: Target, connector: str) -> bool:
    answer = await t.raw("DELETE", f"{ML}/connectors/{connector}")
    return answer.status == 200


async def a_connector_of_a_loaded_model_cannot_be_changed(t: Target) -> None:
    connector = await t.connector(parameters={"a": "1", "b": "2"}, client_config={"max_connection": 7})
    model = await t.model(connector_id=connector)
    await t.client.update_connector(connector, {"parameters": {"a": "3"}, "client_config": {}})
    document = await t.document("connector", connector)
    assert document["parameters"] == {"a": "3", "b": "2"}
    assert document["client_config"]["max_connection"] == 30
    await t.deployed(model)
    with pytest.raises(MLError) as refused:
        await t.client.update_connector(connector, {"parameters": {"a": "4"}})
    assert (refused.value.code, refused.value.ids) == (MLCode.IN_USE, (model,))
    assert refused.value.message == (
        f"1 models are still using this connector, please undeploy the models first: [{model}]"
    )


async def an_untrusted_connector_cannot_be_changed(t: Target) -> None:
    connector = await t.connector()
    with pytest.raises(MLError) as refused:
        await t.client.update_connector(connector, {"actions": [t.action(url="https://untrusted.example/")]})
    assert refused.value.code is MLCode.ENDPOINT_NOT_TRUSTED


async def a_missing_connector_cannot_be_changed(t: Target) -> None:
    await t.connector()
    with pytest.raises(MLError) as refused:
        await t.client.update_connector("missing", {"description": "x"})
    assert refused.value.code is MLCode.NOT_FOUND


CHECKS = (
    a_connector_is_shown_as_text_and_without_its_credential,
    bad_connectors_are_refused,
    unsafe_text_is_refused_since_3_1,
    an_unknown_protocol_is_refused,
    an_untrusted_endpoint_is_refused_and_secrets_in_the_words_are_masked,
    a_broken_trusted_list_refuses_every_connector,
    access_fields_need_access_control,
    a_used_connector_stays_whatever_the_model_does,
    a_stranger_that_shares_a_word_of_the_id_blocks_deletion,
    a_connector_of_a_loaded_model_cannot_be_changed,
    an_untrusted_connector_cannot_be_changed,
    a_missing_connector_cannot_be_changed,
)
