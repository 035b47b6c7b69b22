"""Reads the Secrets and ConfigMaps that a spec names, key by key; a missing one is a fact that names it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..constants import ConditionType, Reason
from ..models.connector import ConnectorFields
from .conditions import Fact, false
from .ports import SecretSource
from .records import digest


class Credentials:
    """The values that were read, and one revision that changes whenever any of them may have changed.

    The revision is made of names, uids and resourceVersions, never of secret bytes: it is stored in status.
    """

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        """The revision of each Secret that was read, by its name."""
        self._revisions: list[str] = []

    @property
    def revision(self) -> str:
        """Change mark of everything that was read: of the names, and of the versions."""
        return f"{self._names}.{digest(sorted(self._revisions))}"

    @property
    def _names(self) -> str:
        return digest(sorted(self.values))

    def has_names_of(self, revision: str | None) -> bool:
        """Whether the names, not the values, are those of another such mark."""
        return revision is not None and revision.partition(".")[0] == self._names

    async def add(
        self,
        source: SecretSource,
        *,
        namespace: str,
        secret: str,
        keys: Mapping[str, str] | None,
        type_: ConditionType,
        optional: Mapping[str, str] = MappingProxyType({}),
    ) -> Fact | None:
        """Read `keys` (our name → key in the Secret), or all as they are named; return what is missing.

        Those that are `optional` are read where they are there.
        """
        data = await source.secret(namespace, secret)
        if data is None:
            return false(
                type_,
                Reason.SECRET_NOT_FOUND,
                f"Secret {secret} does not exist in namespace {namespace}. "
                "Create it, or change the reference.",
            )
        self.secrets[secret] = data.revision
        wanted = dict(keys) if keys is not None else {key: key for key in data.data}
        wanted |= {name: key for name, key in optional.items() if key in data.data}
        if not wanted:
            return false(type_, Reason.SECRET_KEY_MISSING, f"Secret {secret} is empty. Add the credentials.")
        for name, key in wanted.items():
            value = data.data.get(key, b"")
            if not value:
                return false(
                    type_,
                    Reason.SECRET_KEY_MISSING,
                    f"Secret {secret} has no value under the key {key}. Add it, or change the reference.",
                )
            try:
                self.values[name] = value.decode()
            except UnicodeDecodeError:
                words = f"The value under {key} of Secret {secret} is not UTF-8 text."
                return false(type_, Reason.SECRET_KEY_MISSING, words)
            self._revisions.append(f"{name}={secret}/{key}:{data.revision}")
        return None

    def constant(self, name: str, value: str) -> None:
        """Add a value that the spec gives and that is no secret."""
        self.values[name] = value
        self._revisions.append(f"{name}={value}")


async def read(
    source: SecretSource, namespace: str, spec: ConnectorFields, *, type_: ConditionType
) -> Credentials | Fact:
    """Read all that a connector names, in the order of its spec; the first that is missing is the answer."""
    credentials = Credentials()
    missing: Fact | None = None
    if spec.credentials_from is not None:
        name = spec.credentials_from.secret_ref.name
        missing = await credentials.add(source, namespace=namespace, secret=name, keys=None, type_=type_)
    for credential in spec.credentials:
        if credential.value is not None:
            credentials.constant(credential.name, credential.value)
        elif credential.secret_key_ref is not None:
            ref = credential.secret_key_ref
            missing = missing or await credentials.add(
                source, namespace=namespace, secret=ref.name, keys={credential.name: ref.key}, type_=type_
            )
    return missing or credentials
