"""Which MLClusterSettings wants what, and who has it: the oldest, until it is gone. Pure.

Each setting belongs to one object at a time. The list of trusted endpoints is also shared: by all that add to
it, when the oldest of those that want it is one that adds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeAlias

from pydantic import ValidationError

from ...constants import ConditionType, Reason
from ...models.settings import AddedEndpoints, MLClusterSettingsSpec
from ...models.snapshot import ObjectKey, Snapshot
from ..conditions import Fact, false
from . import endpoint_pattern

Value: TypeAlias = str | tuple[str, ...]
"""A setting as the server shows it: scalars are texts (`Settings.fromXContent`)."""

PREFIX: Final = "plugins.ml_commons."
TRUSTED: Final = f"{PREFIX}trusted_connector_endpoints_regex"
_PATTERNS: Final = frozenset({TRUSTED, f"{PREFIX}trusted_connector_private_endpoints_regex"})
# No `*`: the server takes it for many names at once.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Wish:
    """What one spec asks for."""

    settings: Mapping[str, Value] = field(default_factory=dict)
    """By full name."""
    endpoints: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        """Whether the spec has a say about the setting."""
        return name in self.settings or self.adds(name)

    def adds(self, name: str) -> bool:
        """Whether it is content to share the setting."""
        return name == TRUSTED and bool(self.endpoints)


def wish(spec: MLClusterSettingsSpec) -> Wish | Fact:
    """Read a spec; what must not be sent to any server becomes InvalidSpec or Rejected."""
    settings: dict[str, Value] = {}
    for given, raw in spec.settings.items():
        name = given if given.startswith(PREFIX) else PREFIX + given
        value = _value(raw)
        if not _NAME.fullmatch(given) or (given.startswith("plugins.") and name != given):
            return _invalid(given, f"only settings of {PREFIX}* can be set")
        if name in settings:
            return _invalid(given, "it is given twice, with and without the prefix")
        if value is None:
            return _invalid(given, "a text, a number, a boolean or a list of them is needed")
        if name == TRUSTED and spec.trusted_endpoints is not None:
            return _invalid(given, "it cannot be set whole and added to at once; keep trustedEndpoints")
        if name in _PATTERNS:
            value = (value,) if isinstance(value, str) else value
            if (bad := _bad_pattern(given, value)) is not None:
                return bad
        settings[name] = value
    endpoints = tuple(spec.trusted_endpoints.add) if spec.trusted_endpoints is not None else ()
    return _bad_pattern("trustedEndpoints.add", endpoints) or Wish(settings, endpoints)


@dataclass(frozen=True, slots=True)
class Claim:
    """One object's part in the question of who has what."""

    key: ObjectKey
    age: tuple[str, str]
    """Older is less; objects created in the same second are told apart by their uid."""
    wish: Wish
    held: frozenset[str] = frozenset()
    """The settings that it alone has changed and not let go yet."""
    added: AddedEndpoints | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Read an object as it is stored.

        One whose spec cannot be used, that is going or that only observes wants nothing.
        """
        idle = snapshot.deleting or snapshot.spec.get("managementPolicy") == "Observe"
        held = snapshot.status.get("previous")
        return cls(
            key=snapshot.key,
            age=(snapshot.created, snapshot.uid),
            wish=Wish() if idle else _wish_of(snapshot.spec),
            held=frozenset(held) if isinstance(held, Mapping) else frozenset(),
            added=_added(snapshot.status.get("trustedEndpoints")),
        )

    def in_the_way(self, name: str, rivals: Iterable[Claim]) -> Claim | None:
        """Return who must go first before this object may have the setting; None when it may."""
        others = tuple(rivals)
        share = self.wish.adds(name)
        first = min((other for other in (self, *others) if other.wish.wants(name)), key=_age)
        if first is not self and not (share and first.wish.adds(name)):
            return first
        if name in self.held or (name == TRUSTED and self.added is not None):
            return None
        for other in others:
            if name in other.held or (name == TRUSTED and other.added is not None and not share):
                return other
        return None


def _age(claim: Claim) -> tuple[str, str]:
    return claim.age


def _wish_of(spec: Mapping[str, Any]) -> Wish:
    try:
        read = wish(MLClusterSettingsSpec.model_validate(dict(spec.items())))
    except ValidationError:
        return Wish()
    return read if isinstance(read, Wish) else Wish()


def _added(raw: Any) -> AddedEndpoints | None:
    try:
        return AddedEndpoints.model_validate(raw) if raw is not None else None
    except ValidationError:
        return None


def _value(raw: Any) -> Value | None:
    if isinstance(raw, list):
        texts = [_text(each) for each in raw]
        return None if None in texts else tuple(text for text in texts if text is not None)
    return _text(raw)


def _text(raw: Any) -> str | None:
    if isinstance(raw, str):
        return raw
    return json.dumps(raw) if isinstance(raw, bool | int | float) else None


def _bad_pattern(where: str, patterns: tuple[str, ...]) -> Fact | None:
    for pattern in patterns:
        if (why := endpoint_pattern.fault(pattern)) is not None:
            words = (
                f"{where} holds {pattern[:80]!r}, which is no usable regular expression: {why}. It was not"
                " sent, as OpenSearch would refuse every connector from then on."
            )
            return false(ConditionType.SYNCED, Reason.REJECTED, words, stalled=True)
    return None


def _invalid(name: str, why: str) -> Fact:
    return false(
        ConditionType.SYNCED,
        Reason.INVALID_SPEC,
        f"Mend the spec: spec.settings[{name[:100]!r}]: {why}.",
        stalled=True,
    )
