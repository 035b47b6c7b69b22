"""Reads the Secrets and ConfigMaps that a spec names, key by key; a missing one is a fact that names it."""

from __future__ import annotations

from ..constants import ConditionType, Reason
from .conditions import Fact, false
from .ports import SecretSource
from .records import digest


class Credentials:
    """The values that were read, and one revision that changes whenever any of them may have changed.

    The revision is made of uids and resourceVersions, never of the bytes: it is stored in status.
    """

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._revisions: list[str] = []

    @property
    def revision(self) -> str:
        """Change mark of everything that was read."""
        return digest(sorted(set(self._revisions)))

    async def add(
        self, source: SecretSource, *, namespace: str, secret: str, keys: dict[str, str], type_: ConditionType
    ) -> Fact | None:
        """Read `keys` (our name → key in the Secret); return what is missing, if anything."""
        data = await source.secret(namespace, secret)
        if data is None:
            return false(
                type_,
                Reason.SECRET_NOT_FOUND,
                f"Secret {secret} does not exist in namespace {namespace}. "
                "Create it, or change the reference.",
            )
        for name, key in keys.items():
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
                return false(
                    type_,
                    Reason.SECRET_KEY_MISSING,
                    f"The value under {key} of Secret {secret} is not UTF-8 text.",
                )
        self._revisions.append(f"{secret}:{data.revision}")
        return None

    async def add_all(
        self, source: SecretSource, *, namespace: str, secret: str, type_: ConditionType
    ) -> Fact | None:
        """Read every key of one Secret under its own name."""
        data = await source.secret(namespace, secret)
        keys = {key: key for key in data.data} if data is not None else {}
        return await self.add(source, namespace=namespace, secret=secret, keys=keys, type_=type_)

    def constant(self, name: str, value: str) -> None:
        """Add a value that the spec gives and that is no secret."""
        self.values[name] = value
