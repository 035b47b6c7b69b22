"""Turns the JSON Schema of a pydantic model into a structural schema, as a CustomResourceDefinition wants it.

The differences that matter (Kubernetes documentation, "Specifying a structural schema"): no `$ref`, no
unions, no `const`, no null, boolean `exclusiveMinimum`, nothing unbounded, because the API server estimates
the cost of every validation rule from the bounds. What has no structural form is refused with the path of the
field, never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from ..errors import OperatorError

_TYPES: Final = ("object", "array", "string", "integer", "number", "boolean")

# In the order in which they are written: what a schema is, its limits, what it contains.
_COPIED: Final = (
    "description", "type", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "minProperties", "maxProperties",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations",
)  # fmt: skip
_TRANSLATED: Final = (
    "default", "format", "exclusiveMinimum", "exclusiveMaximum", "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-map-type",
    "required", "properties", "items", "additionalProperties",
)  # fmt: skip
_ATOMIC: Final = {"x-kubernetes-map-type": "atomic"}
"""Of a map that is merged key by key, a server-side apply that empties it makes a null, which is refused."""
_NOISE: Final = frozenset({"title", "examples"})
_BOUND_OF: Final = {"string": "maxLength", "array": "maxItems"}


class UnstructuralError(OperatorError):
    """A model has no structural schema; the message starts with the path of the field."""


def structural(model: type[BaseModel], *, path: str, defaults: bool) -> dict[str, Any]:
    """Return the structural schema of a model.

    `defaults` says whether the API server fills in defaults: in `spec` it does; `status` belongs to the
    operator alone, and a default there would show what was never observed. Raises UnstructuralError.
    """
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _Converter(schema.pop("$defs", {}), defaults=defaults).convert(schema, path, ())


class _Converter:
    def __init__(self, definitions: Mapping[str, Any], *, defaults: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults

    def convert(self, schema: Mapping[str, Any], path: str, parents: tuple[str, ...]) -> dict[str, Any]:
        """Convert one schema; `parents` are the definitions that it stands in."""
        schema, parents = self._resolved(schema, path, parents)
        result: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword in _COPIED:
                result[keyword] = value
            elif keyword not in _NOISE:
                result |= self._translated(keyword, value, path, parents)
        self._check(result, path)
        return {keyword: result[keyword] for keyword in (*_COPIED, *_TRANSLATED) if keyword in result}

    def _translated(self, keyword: str, value: Any, path: str, parents: tuple[str, ...]) -> dict[str, Any]:
        result: dict[str, Any]
        match keyword, value:
            case "properties", _:
                children = {
                    name: self.convert(child, f"{path}.{name}", parents) for name, child in value.items()
                }
                result = {"properties": children}
            case "required", _:
                result = {"required": sorted(value)}
            case "items", _:
                result = {"items": self.convert(value, f"{path}[]", parents)}
            case "additionalProperties", True:
                result = {"x-kubernetes-preserve-unknown-fields": True, **_ATOMIC}
            case "additionalProperties", Mapping():
                result = {"additionalProperties": self.convert(value, f"{path}[*]", parents), **_ATOMIC}
            case "const", _:
                result = {"enum": [value]}
            case (("exclusiveMinimum" | "exclusiveMaximum"), _):
                result = {keyword.replace("exclusiveM", "m"): value, keyword: True}
            case "format", "date-time":
                result = {"format": value}
            case "default", _:
                result = {} if value is None or not self._defaults else {"default": _without_nulls(value)}
            case _:
                raise UnstructuralError(f"{path}: {keyword} {value!r} has no structural form")
        return result

    def _resolved(
        self, schema: Mapping[str, Any], path: str, parents: tuple[str, ...]
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Replace `$ref` and `X | None` by what they stand for; keywords beside them win."""
        result = dict(schema)
        while "$ref" in result or "anyOf" in result:
            if "anyOf" in result:
                branches = [branch for branch in result.pop("anyOf") if branch != {"type": "null"}]
                if len(branches) != 1:
                    raise UnstructuralError(
                        f"{path}: a union has no structural form: use optional fields and a rule"
                    )
                result = branches[0] | result
            else:
                name = result.pop("$ref").rpartition("/")[2]
                if name in parents:
                    raise UnstructuralError(f"{path}: {name} contains itself")
                parents = (*parents, name)
                result = dict(self._definitions[name]) | result
        return result, parents

    def _check(self, schema: dict[str, Any], path: str) -> None:
        kind = schema.get("type")
        if kind not in _TYPES:
            raise UnstructuralError(f"{path}: type {kind!r} has no structural form")
        bound = _BOUND_OF.get(kind)
        if kind == "object" and "properties" not in schema:
            bound = "maxProperties"
        if bound is not None and bound not in schema and "enum" not in schema:
            raise UnstructuralError(f"{path}: needs {bound}, or the cost of the rules cannot be estimated")
        if kind == "array":
            _refuse_defaults(schema.get("items"), f"{path}[]")
        if kind == "object" and "default" in schema:
            # The API server fills an empty object from the defaults inside it: one place for each default.
            if schema["default"] != filled({}, schema):
                raise UnstructuralError(f"{path}: its default differs from the defaults of its fields")
            schema["default"] = {}


def _without_nulls(value: Any) -> Any:
    """Leave out what pydantic shows as null in a default: an optional field that is not set."""
    if not isinstance(value, Mapping):
        return value
    return {name: each for name, each in value.items() if each is not None}


def filled(value: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the defaults of an object as the API server does: absent fields first, then inside objects."""
    result = dict(value)
    for name, child in schema.get("properties", {}).items():
        if name not in result and "default" in child:
            result[name] = child["default"]
        if isinstance(result.get(name), Mapping):
            result[name] = filled(result[name], child)
    return result


def _refuse_defaults(schema: Any, path: str) -> None:
    """Refuse defaults inside list items: GitOps tools show them as a difference for ever."""
    if isinstance(schema, Mapping):
        if "default" in schema:
            raise UnstructuralError(f"{path}: a default inside a list item shows up as drift in GitOps tools")
        for name, child in schema.get("properties", {}).items():
            _refuse_defaults(child, f"{path}.{name}")
