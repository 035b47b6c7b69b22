"""Validation rules that span fields: one piece of data for two judges, the API server (CEL) and pydantic.

A rule is written beside the model it belongs to. `crdgen` copies `cel` into the CRD; the model itself calls
`holds` when it is built, so that what the API server refuses is refused here too, and nothing more.
CEL is kept to its core (no Kubernetes extensions), and every string, list and map that a rule visits is
bounded: without bounds the API server refuses the CRD because of the estimated cost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_MICROSECONDS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule about one object of a schema.

    `holds` gets the object as JSON, with defaults filled in. It is None for rules that compare with the old
    object (`transition`): only the API server knows that one.
    """

    cel: str
    message: str
    field: str
    """The JSON name of the field that the API server's error points to."""
    holds: Callable[[Mapping[str, Any]], bool] | None

    @property
    def transition(self) -> bool:
        """Whether the rule compares with the object as it was before the update."""
        return self.holds is None


def seconds(duration: str) -> float:
    """Convert a Go-style duration such as "1m30s" to seconds; anything else raises ValueError."""
    parts = _DURATION_PART.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"not a duration: {duration!r}")
    # Whole microseconds, because the API server's durations are exact and a bound may be met exactly.
    return sum(round(float(number) * _MICROSECONDS[unit]) for number, unit in parts) / 1_000_000


def exactly_one(*fields: str) -> Rule:
    """Require that one of the optional fields is set, and only one."""
    count = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in fields)
    return Rule(
        cel=f"{count} == 1",
        message=f"exactly one of {', '.join(fields)} must be set",
        field=fields[0],
        holds=lambda body: sum(name in body for name in fields) == 1,
    )


def at_most_one(*fields: str) -> Rule:
    """Require that no two of the optional fields are set."""
    count = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in fields)
    return Rule(
        cel=f"{count} <= 1",
        message=f"at most one of {', '.join(fields)} may be set",
        field=fields[0],
        holds=lambda body: sum(name in body for name in fields) <= 1,
    )


def immutable(field: str) -> Rule:
    """Forbid to change, add or remove the field once the object exists.

    The rule stands on the parent: one on an optional field itself is not asked when the field comes or goes.
    """
    return Rule(
        cel=(
            f"has(self.{field}) == has(oldSelf.{field})"
            f" && (!has(self.{field}) || self.{field} == oldSelf.{field})"
        ),
        message=f"{field} cannot be changed; delete the object and create it again",
        field=field,
        holds=None,
    )


def lasts(field: str, least: str, most: str | None = None, *, or_zero: bool = False) -> Rule:
    """Bound a duration field; `or_zero` also allows 0s, which then means "off"."""

    def holds(body: Mapping[str, Any]) -> bool:
        if field not in body:
            return True
        value = seconds(body[field])
        inside = seconds(least) <= value and (most is None or value <= seconds(most))
        return inside or (or_zero and value == 0)

    bounds = f'duration(self.{field}) >= duration("{least}")'
    words = f"{field} must be at least {least}"
    if most is not None:
        bounds += f' && duration(self.{field}) <= duration("{most}")'
        words = f"{field} must be between {least} and {most}"
    if or_zero:
        bounds = f'duration(self.{field}) == duration("0s") || {bounds}'
        words += ", or 0s for never"
    return Rule(cel=f"!has(self.{field}) || {bounds}", message=words, field=field, holds=holds)
