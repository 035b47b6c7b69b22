"""From what OpenSearch shows of an object, or a blueprint says, to the spec that stands for it. Pure.

What is a server's default is left out: it stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..reconcilers import extra
from ..reconcilers.adoption import unmarked
from ..reconcilers.shown import mapping

_CREDENTIAL: Final = re.compile(r"\$\{credential\.([A-Za-z0-9_.-]+)\}")
_PUBLIC: Final = ("roleArn", "externalAccountRoleArn")
"""Credentials that are no secret."""
_OF_THE_SERVER: Final = frozenset(
    {"access", "owner", "created_time", "last_updated_time", "tenant_id", "connector_id", "create_time"}
)
_RUNNING: Final = frozenset({"DEPLOYED", "DEPLOYING", "PARTIALLY_DEPLOYED"})
_SECONDS: Final = ("connection_timeout", "read_timeout")
_DEFAULTS: Final[Mapping[str, Any]] = {
    "max_connection": 30,
    "connection_timeout": 30,
    "read_timeout": 30,
    "retry_backoff_millis": 200,
    "max_retry_times": 0,
    "retry_backoff_policy": "constant",
    "skip_ssl_verification": False,
}
"""`ConnectorClientConfig` of ml-commons; once one is sent all are shown."""
_MILLISECONDS_FROM: Final = 1000
"""2.x shows the time-out for connecting in milliseconds."""


def connector(source: Mapping[str, Any], *, secret: str) -> dict[str, Any]:
    """Return the fields of a connector's spec; its credentials are to be found in the Secret."""
    beside = extra.CONNECTOR.keys() | _OF_THE_SERVER
    return _filled(
        name=source.get("name"),
        description=unmarked(str(source.get("description") or "")),
        version=_unless(str(source.get("version", "1")), "1"),
        protocol=_unless(source.get("protocol"), "http"),
        parameters=dict(mapping(source.get("parameters"))),
        credentials=_credentials(source, secret),
        actions=[_action(each) for each in source.get("actions") or () if isinstance(each, Mapping)],
        clientConfig=_client_config(mapping(source.get("client_config"))),
        access=access(source),
        extra={name: value for name, value in source.items() if name not in beside and value is not None},
    )


def secret_keys(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys that the Secret of such a spec needs."""
    refs = (each.get("secretKeyRef") for each in spec.get("credentials", ()))
    return tuple(ref["key"] for ref in refs if ref)


def group(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a group's spec."""
    description = unmarked(str(source.get("description") or ""))
    return _filled(name=source.get("name"), description=description, access=access(source))


def model(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a model's spec, without what it refers to."""
    limiter, interface = mapping(source.get("rate_limiter")), mapping(source.get("interface"))
    return _filled(
        name=source.get("name"),
        description=unmarked(str(source.get("description") or "")),
        deploy=_unless(source.get("model_state") in _RUNNING, default=True),
        enabled=_unless(source.get("is_enabled", True), default=True),
        deploySetting=_deploy_setting(mapping(source.get("deploy_setting"))),
        rateLimiter={"limit": int(limiter["limit"]), "unit": limiter["unit"]} if "limit" in limiter else None,
        guardrails=dict(mapping(source.get("guardrails"))),
        interface={side: interface[side] for side in ("input", "output") if interface.get(side)},
    )


def access(source: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return who may use an object, as a request or the server says it; None where nobody is kept out."""
    mode = source.get("access_mode") or (source.get("access") if source.get("owner") else None)
    if not isinstance(mode, str):
        return None
    everybodys = bool(source.get("add_all_backend_roles"))
    roles = source.get("backend_roles") if mode == "restricted" and not everybodys else None
    return _filled(mode=mode, backendRoles=list(roles or ()), addAllBackendRoles=everybodys or None)


def _action(action: Mapping[str, Any]) -> dict[str, Any]:
    return _filled(
        type=str(action.get("action_type", "predict")).lower(),
        method=str(action.get("method", "")).upper(),
        url=action.get("url"),
        headers=dict(mapping(action.get("headers"))),
        requestBody=action.get("request_body"),
        preProcessFunction=action.get("pre_process_function"),
        postProcessFunction=action.get("post_process_function"),
    )


def _credentials(source: Mapping[str, Any], secret: str) -> Sequence[Mapping[str, Any]]:
    """Return every credential that is named; the values of secrets are never taken over."""
    given = mapping(source.get("credential"))
    names = dict.fromkeys((*given, *_CREDENTIAL.findall(str(source.get("actions")))))
    return [
        {"name": name, "value": given[name]}
        if name in _PUBLIC and name in given
        else {"name": name, "secretKeyRef": {"name": secret, "key": name}}
        for name in names
    ]


def _client_config(config: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in config.items() if value is not None}
    timeout = own.get("connection_timeout")
    if isinstance(timeout, int) and timeout >= _MILLISECONDS_FROM and timeout % _MILLISECONDS_FROM == 0:
        own["connection_timeout"] = timeout // _MILLISECONDS_FROM
    changed = {name: own[name] for name in _DEFAULTS if name in own and own[name] != _DEFAULTS[name]}
    backoff = changed.get("retry_backoff_millis")
    return _filled(
        maxConnection=changed.get("max_connection"),
        **{_camel(name): f"{changed[name]}s" for name in _SECONDS if name in changed},
        retryBackoff=None if backoff is None else f"{backoff}ms",
        maxRetryTimes=changed.get("max_retry_times"),
        retryBackoffPolicy=changed.get("retry_backoff_policy"),
        skipSSLVerification=changed.get("skip_ssl_verification"),
    )


def _deploy_setting(setting: Mapping[str, Any]) -> dict[str, Any]:
    return _filled(
        autoDeployEnabled=_unless(setting.get("is_auto_deploy_enabled", True), default=True),
        ttlMinutes=_unless(setting.get("model_ttl_minutes", -1), default=-1),
    )


def _unless(value: Any, default: Any) -> Any:
    return None if value == default else value


def _filled(**fields: Any) -> dict[str, Any]:
    """Return the fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
