"""What a client needs to know of its connection: the spec, with its Secrets and its CA read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from ...constants import ConditionType, Reason
from ...errors import KubernetesForbiddenError
from ...models.common import SecretKeyRef, SecretRef, seconds
from ...models.connection import (
    Auth,
    BearerAuth,
    CARef,
    OpenSearchConnectionSpec,
    ServiceAccountToken,
    SigV4Auth,
)
from ..aws import AWSKeys, AWSSource, Signing
from ..conditions import Fact, false
from ..credentials import Credentials
from ..ports import AccountToken, ClientCertificate, ConnectionSettings, SecretSource, TokenSource
from . import signing

NamespaceOf: TypeAlias = Callable[[SecretRef | SecretKeyRef | CARef], str]
"""Tells in which namespace a reference of the spec leads: the connection's own, or the one that it names."""

_TOKEN: Final = re.compile(r"[!-~]+")
_CERTIFICATE: Final = {"chain": "tls.crt", "key": "tls.key"}
_LOGIN: Final = {"username": "username", "password": "password"}


class Sources(Protocol):
    """Where identities come from."""

    @property
    def secrets(self) -> SecretSource:
        """Secrets and ConfigMaps."""

    @property
    def tokens(self) -> TokenSource:
        """Tokens of the operator's own ServiceAccount."""

    @property
    def aws(self) -> AWSSource:
        """Credentials of AWS."""


async def resolve(
    ports: Sources, spec: OpenSearchConnectionSpec, namespace_of: NamespaceOf
) -> ConnectionSettings | Fact:
    """Read all that the spec refers to; the first that is missing is the answer.

    Raises KubernetesUnavailableError, and KubernetesForbiddenError for a Secret that may not be read.
    """
    settings = ConnectionSettings(
        endpoints=tuple(spec.endpoints),
        server_name=spec.tls.server_name if spec.tls else None,
        connect_timeout=seconds(spec.timeout.connect),
        read_timeout=seconds(spec.timeout.read),
        requests_per_second=spec.limits.requests_per_second,
        burst=spec.limits.burst,
        max_in_flight=spec.limits.max_in_flight,
        max_registers=spec.limits.max_registers,
        max_deploys=spec.limits.max_deploys,
        verify=spec.tls is None or spec.tls.verifies,
    )
    identified = await _Reader(ports, namespace_of).identified(settings, spec.auth or Auth())
    if isinstance(identified, Fact):
        return identified
    ca = await _ca(ports, spec, namespace_of)
    return ca if isinstance(ca, Fact) else replace(identified, ca=ca)


def advice(auth: Auth | None, words: str) -> str:
    """Say what to check when the cluster does not know who we are, and says so in these words."""
    if auth is None or auth == Auth():
        return "The cluster asks for a login: set spec.auth."
    if auth.basic is not None:
        return f"Check username and password in the Secret {auth.basic.secret_ref.name}."
    if auth.client_certificate is not None:
        return (
            f"Check the certificate in the Secret {auth.client_certificate.secret_ref.name}: whether it has "
            "expired, and whether the cluster trusts its authority and maps its name to a user."
        )
    if auth.sigv4 is not None:
        return signing.advice(auth.sigv4, words)
    if auth.bearer is not None and auth.bearer.secret_key_ref is not None:
        return f"Check the token in the Secret {auth.bearer.secret_key_ref.name}: it may have expired."
    return "Check audience and issuer of ServiceAccount tokens in the cluster's security configuration."


def permission_advice(auth: Auth | None) -> str:
    """Say what is missing when the cluster knows who we are and lets us do nothing."""
    if auth is not None and auth.sigv4 is not None:
        return signing.permission_advice(auth.sigv4)
    return "Give the user the role of docs/opensearch-role.md."


@dataclass(frozen=True, slots=True)
class _Reader:
    """Adds the identity to the settings, from wherever the spec says that it is."""

    ports: Sources
    namespace_of: NamespaceOf

    async def identified(self, settings: ConnectionSettings, auth: Auth) -> ConnectionSettings | Fact:
        if auth.basic is not None:
            read = await self._read(auth.basic.secret_ref, _LOGIN)
            if isinstance(read, Fact):
                return read
            return replace(settings, username=read["username"], password=read["password"])
        if auth.client_certificate is not None:
            read = await self._read(auth.client_certificate.secret_ref, _CERTIFICATE)
            if isinstance(read, Fact):
                return read
            pair = ClientCertificate(read["chain"].encode(), read["key"].encode())
            return replace(settings, certificate=pair)
        if auth.sigv4 is not None:
            signed = await self._signing(auth.sigv4)
            return signed if isinstance(signed, Fact) else replace(settings, signing=signed)
        return await self._with_token(settings, auth.bearer) if auth.bearer is not None else settings

    async def _with_token(
        self, settings: ConnectionSettings, bearer: BearerAuth
    ) -> ConnectionSettings | Fact:
        if bearer.service_account_token is not None:
            wanted = await self._account_token(bearer.service_account_token)
            return wanted if isinstance(wanted, Fact) else replace(settings, account_token=wanted)
        ref = bearer.secret_key_ref
        if ref is None:
            return settings
        read = await self._read(ref, {"bearer": ref.key})
        if isinstance(read, Fact):
            return read
        token = read["bearer"].strip()  # `kubectl create secret --from-file` takes a line break along
        if not _TOKEN.fullmatch(token):
            words = (
                f"The value under {ref.key} of Secret {ref.name} is no token: it has blanks or line breaks."
            )
            return false(ConditionType.REACHABLE, Reason.SECRET_KEY_MISSING, words)
        return replace(settings, bearer=token)

    async def _signing(self, spec: SigV4Auth) -> Signing | Fact:
        keys = await self._keys(spec.secret_ref) if spec.secret_ref is not None else None
        if isinstance(keys, Fact):
            return keys
        return await signing.signing(self.ports.aws, spec, keys)

    async def _keys(self, ref: SecretRef) -> AWSKeys | Fact:
        wanted, optional = signing.KEYS, signing.OPTIONAL_KEYS
        read = await self._read(ref, wanted, optional)
        return read if isinstance(read, Fact) else signing.keys_of(read, ref.name)

    async def _account_token(self, spec: ServiceAccountToken) -> AccountToken | Fact:
        """Get the first token here, where a refusal has a place to be shown."""
        wanted = AccountToken(spec.audience, spec.expiration_seconds)
        if not self.ports.tokens.allowed(wanted.audience):
            words = (
                f"This operator gives no tokens of its ServiceAccount for the audience {wanted.audience}. "
                "Add it to serviceAccount.tokenAudiences of the operator's chart."
            )
            return false(ConditionType.REACHABLE, Reason.PERMISSION_DENIED, words)
        try:
            await self.ports.tokens.token(wanted)
        except KubernetesForbiddenError as error:
            return false(ConditionType.REACHABLE, Reason.PERMISSION_DENIED, f"No token: {error}.")
        return wanted

    async def _read(
        self,
        ref: SecretRef | SecretKeyRef,
        keys: Mapping[str, str],
        optional: Mapping[str, str] = MappingProxyType({}),
    ) -> Mapping[str, str] | Fact:
        credentials = Credentials()
        missing = await credentials.add(
            self.ports.secrets,
            namespace=self.namespace_of(ref),
            secret=ref.name,
            keys=keys,
            optional=optional,
            type_=ConditionType.REACHABLE,
        )
        return missing or credentials.values


async def _ca(
    ports: Sources, spec: OpenSearchConnectionSpec, namespace_of: NamespaceOf
) -> bytes | Fact | None:
    if spec.tls is None or spec.tls.ca_ref is None:
        return None
    ref = spec.tls.ca_ref
    namespace = namespace_of(ref)
    read = ports.secrets.secret if ref.kind == "Secret" else ports.secrets.config_map
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
