"""Writes docs/reference/kinds.md: every field of every kind, from the generated schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..constants import API_VERSION
from ..models.fields import DURATION_PATTERN, WHOLE_SECONDS_PATTERN
from ..models.kinds import CATEGORY, KINDS, KindInfo
from .definition import definition

_INTRODUCTION: Final = f"""\
# Kinds

All kinds belong to `{API_VERSION}`, and are listed together by
`kubectl get {CATEGORY}`. `kubectl explain KIND.spec` shows the same text as this page.

<!-- Generated from the models by `make crds`; changes made here are lost. -->
"""
_DURATIONS: Final = (DURATION_PATTERN, WHOLE_SECONDS_PATTERN)


def reference() -> str:
    """Return the page."""
    return "\n".join([_INTRODUCTION, *(_kind(info) for info in KINDS)])


def _kind(info: KindInfo) -> str:
    schema = definition(info)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    spec, status = (schema["properties"][part] for part in ("spec", "status"))
    columns = ", ".join(f"{column.name}{' (wide)' if column.wide else ''}" for column in info.columns)
    lines = [
        f"## {info.kind}",
        "",
        info.description,
        "",
        f"* Short name: `{info.short_name}`; plural: `{info.plural}`; scope: {info.scope}.",
        f"* Columns: {columns}.",
    ]
    if info.selectable_fields:
        fields = ", ".join(f"`{path.removeprefix('.')}`" for path in info.selectable_fields)
        lines.append(f"* Field selectors: {fields}.")
    lines += ["", *_table("spec", spec), "", "Rules:", ""]
    lines += [f"* `{path}`: {message}." for path, message in _rules("spec", spec)]
    lines += ["", *_table("status", status), ""]
    return "\n".join(lines)


def _table(part: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield "| field | type | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for path, field, required in _fields(part, schema):
        default = "required" if required else _default(field)
        description = field.get("description", "").replace("|", "\\|")
        yield f"| `{path}` | {_type(field)} | {default} | {description} |"


def _fields(path: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child, name in schema.get("required", ())
        suffix = "[]" if child["type"] == "array" else ""
        yield from _fields(f"{path}.{name}{suffix}", child.get("items", child))


def _rules(path: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield path, rule["message"]
    for name, child in schema.get("properties", {}).items():
        suffix = "[]" if child["type"] == "array" else ""
        yield from _rules(f"{path}.{name}{suffix}", child.get("items", child))


def _type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    match field["type"]:
        case "array":
            words = f"list of {_type(field['items'])}{_bounds(field, 'Items', ' items')}"
        case "object" if "properties" in field:
            words = "object"
        case "object":
            values = _type(field["additionalProperties"]) if "additionalProperties" in field else "any JSON"
            words = f"map of {values}{_bounds(field, 'Properties', ' entries')}"
        case "string" if field.get("pattern") in _DURATIONS:
            words = "duration"
        case "string" if field.get("format") == "date-time":
            words = "time"
        case "string":
            words = f"string{_bounds(field, 'Length', ' characters')}"
        case kind:
            words = f"{kind}{_bounds(field, 'imum', '')}"
    return words


def _bounds(field: Mapping[str, Any], of: str, unit: str) -> str:
    least, most = field.get(f"min{of}"), field.get(f"max{of}")
    if least is None and most is None:
        return ""
    if most is None:
        return f" (at least {least}{unit})"
    return f" (at most {most}{unit})" if least is None else f" ({least} to {most}{unit})"


def _default(field: Mapping[str, Any]) -> str:
    if "default" not in field or field["default"] == {}:
        return ""
    value = field["default"]
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
