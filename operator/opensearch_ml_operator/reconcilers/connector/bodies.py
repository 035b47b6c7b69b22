"""The create body of a connector, from its spec; and how the server shows the same body back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...models.common import seconds
from ...models.connector import Action, ClientConfig, ConnectorFields, MLConnectorSpec
from ...models.snapshot import Snapshot
from .. import extra
from ..access import access_body
from ..conditions import Fact
from ..creation.protocol import Role, describe, marker
from ..records import digest
from ..shown import comparable, covers
from ..stringify import stringify
from .endpoint import fix_host, refuse_address

FIXED = frozenset({"protocol", "access_mode", "backend_roles", "add_all_backend_roles"})
"""Of these a change in place is either ruinous or not checked by the server."""


def content(snapshot: Snapshot, spec: ConnectorFields, *, private_allowed: bool) -> dict[str, Any] | Fact:
    """Return everything of the create body except marker and credential; a Fact when it must not be sent."""
    clash = extra.clash(spec.extra, extra.CONNECTOR)
    if clash is not None:
        return clash
    actions = []
    for action in spec.actions:
        url = fix_host(action.url, spec.parameters)
        if isinstance(url, Fact):
            return url
        refused = refuse_address(url, private_allowed=private_allowed)
        if refused is not None:
            return refused
        actions.append(_action(action, url))
    body: dict[str, Any] = {
        "name": spec.name or snapshot.key.name,
        "version": spec.version,
        "protocol": spec.protocol,
        "parameters": {key: stringify(value) for key, value in spec.parameters.items()},
        "actions": actions,
    }
    if spec.description:
        body["description"] = spec.description
    if spec.client_config is not None:
        body["client_config"] = _client_config(spec.client_config)
    if isinstance(spec, MLConnectorSpec):
        body |= access_body(spec.access)
    return extra.merged(body, spec.extra)


def mark(snapshot: Snapshot, revision: int, applied: tuple[str | None, ...]) -> str:
    """Return what stands behind the description: the marker, and a word that changes with what was sent.

    By that word the connector itself tells which request it had last, whoever died before recording it: of
    credentials, and of much else, nothing is ever shown.
    """
    return f"{marker(snapshot.uid, Role.CONNECTOR, revision)} {digest(applied)}"


def create_body(content: Mapping[str, Any], mark: str, *, credential: Mapping[str, str]) -> dict[str, Any]:
    """Return the body to send."""
    return with_credential({**content, "description": describe(content.get("description"), mark)}, credential)


def with_credential(content: Mapping[str, Any], credential: Mapping[str, str]) -> dict[str, Any]:
    """Return the content with its credential. The server demands one: a key-less service gets a dummy."""
    return {**content, "credential": dict(credential) or {"none": "none"}}


def update_body(content: Mapping[str, Any], mark: str, *, credential: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of a change in place: everything, and the credential too, but what is never changed.

    Some versions demand the credential, and encrypt only what they are given.
    """
    body = create_body(content, mark, credential=credential)
    return {key: value for key, value in body.items() if key not in FIXED}


def for_adopted(content: Mapping[str, Any], spec: ConnectorFields) -> dict[str, Any]:
    """Return the content for a connector that was there before: what the spec does not say stays."""
    return {key: value for key, value in content.items() if key != "name" or spec.name is not None}


def drifted(content: Mapping[str, Any], observed: Mapping[str, Any], *, mark: str | None) -> tuple[str, ...]:
    """Return the names of the fields in which the remote connector differs from what was sent."""
    return tuple(sorted(compared(content, observed, mark=mark)[1]))


def compared(
    content: Mapping[str, Any], observed: Mapping[str, Any], *, mark: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the server shows, and what is wanted, of the fields in which the two differ.

    Without a mark, for one that was adopted or is inside a model, the description is only what the spec says.
    """
    shown = {
        "name": observed.get("name"),
        "description": observed.get("description"),
        "version": str(observed.get("version")),
        "protocol": observed.get("protocol"),
        "parameters": observed.get("parameters") or {},
        "actions": [_normal(action) for action in observed.get("actions") or []],
        "access_mode": observed.get("access"),
    }
    wanted = {**content, "actions": [_normal(action) for action in content["actions"]]}
    if mark is not None:
        wanted["description"] = describe(content.get("description"), mark)
    beside = {key: value for key, value in content.items() if key not in extra.CONNECTOR}
    different = {
        **{key: value for key, value in wanted.items() if key in shown and shown[key] != value},
        **{
            key: value
            for key, value in comparable(beside, observed, beside).items()
            if not covers(observed.get(key), value)
        },
    }
    return {key: shown.get(key, observed.get(key)) for key in different}, different


def hidden(content: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the content that the server fills up or does not show, as a document has them."""
    config = content.get("client_config") or {}
    found = {key: (document.get("client_config") or {}).get(key) for key in config}
    rest = {key: document.get(key) for key in ("backend_roles", "add_all_backend_roles") if key in content}
    return {"client_config": found, **rest}


def _action(action: Action, url: str) -> dict[str, Any]:
    body: dict[str, Any] = {"action_type": action.type, "method": action.method, "url": url}
    if action.headers:
        body["headers"] = dict(action.headers)
    optional = {
        "request_body": action.request_body,
        "pre_process_function": action.pre_process_function,
        "post_process_function": action.post_process_function,
    }
    return body | {key: value for key, value in optional.items() if value is not None}


def _normal(action: Any) -> Any:
    if not isinstance(action, Mapping):
        return action
    kept = {key: value for key, value in action.items() if value not in (None, {}, "")}
    return kept | {"action_type": str(action.get("action_type", "")).lower()}


def _client_config(config: ClientConfig) -> dict[str, Any]:
    body = {
        "max_connection": config.max_connection,
        "connection_timeout": _whole(config.connection_timeout),
        "read_timeout": _whole(config.read_timeout),
        "retry_backoff_millis": None
        if config.retry_backoff is None
        else int(seconds(config.retry_backoff) * 1000),
        "max_retry_times": config.max_retry_times,
        "retry_backoff_policy": config.retry_backoff_policy,
        "skip_ssl_verification": config.skip_ssl_verification,
    }
    return {key: value for key, value in body.items() if value is not None}


def _whole(duration: str | None) -> int | None:
    return None if duration is None else int(seconds(duration))
