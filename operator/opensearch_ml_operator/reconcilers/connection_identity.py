"""What a client needs to know of its connection: the spec, with its Secrets and its CA read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..constants import ConditionType, Reason
from ..models.common import SecretKeyRef, SecretRef, seconds
from ..models.connection import CARef, OpenSearchConnectionSpec
from .conditions import Fact, false
from .credentials import Credentials
from .ports import ConnectionSettings, SecretSource

NamespaceOf: TypeAlias = Callable[[SecretRef | SecretKeyRef | CARef], str]
"""Tells in which namespace a reference of the spec leads: the connection's own, or the one that it names."""


async def resolve(
    source: SecretSource, spec: OpenSearchConnectionSpec, namespace_of: NamespaceOf
) -> ConnectionSettings | Fact:
    """Read all that the spec refers to; the first that is missing is the answer.

    Raises the errors of `SecretSource`.
    """
    credentials = Credentials()
    if spec.auth and spec.auth.basic:
        missing = await credentials.add(
            source,
            namespace=namespace_of(spec.auth.basic.secret_ref),
            secret=spec.auth.basic.secret_ref.name,
            keys={"username": "username", "password": "password"},
            type_=ConditionType.REACHABLE,
        )
        if missing:
            return missing
    ca = await _ca(source, spec, namespace_of)
    if isinstance(ca, Fact):
        return ca
    return ConnectionSettings(
        endpoints=tuple(spec.endpoints),
        username=credentials.values.get("username"),
        password=credentials.values.get("password"),
        ca=ca,
        server_name=spec.tls.server_name if spec.tls else None,
        connect_timeout=seconds(spec.timeout.connect),
        read_timeout=seconds(spec.timeout.read),
        max_in_flight=spec.limits.max_in_flight,
        max_registers=spec.limits.max_registers,
        max_deploys=spec.limits.max_deploys,
        verify=spec.tls is None or spec.tls.verifies,
    )


async def _ca(
    source: SecretSource, spec: OpenSearchConnectionSpec, namespace_of: NamespaceOf
) -> bytes | Fact | None:
    if spec.tls is None or spec.tls.ca_ref is None:
        return None
    ref = spec.tls.ca_ref
    namespace = namespace_of(ref)
    read = source.secret if ref.kind == "Secret" else source.config_map
    data = await read(namespace, ref.name)
    if data is None:
        return false(
            ConditionType.REACHABLE,
            Reason.SECRET_NOT_FOUND,
            f"{ref.kind} {ref.name} with the CA does not exist in namespace {namespace}.",
        )
    if not data.data.get(ref.key):
        return false(
            ConditionType.REACHABLE,
            Reason.SECRET_KEY_MISSING,
            f"{ref.kind} {ref.name} has no key {ref.key}.",
        )
    return data.data[ref.key]
