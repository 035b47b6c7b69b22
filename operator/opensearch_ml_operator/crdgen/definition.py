"""Builds the CustomResourceDefinition of a kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..constants import GROUP, SCHEMA_HASH_ANNOTATION, VERSION
from ..models.kinds import CATEGORY, KindInfo, by_kind
from .structural import structural


def definition(info: KindInfo) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind, annotated with the hash of its schema."""
    spec = _spec(info)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{info.plural}.{GROUP}",
            "annotations": {SCHEMA_HASH_ANNOTATION: _hash(spec)},
        },
        "spec": spec,
    }


def schema_hash(kind: str) -> str:
    """Return the hash that the CRD of a kind must carry to fit this code; KeyError for a foreign kind.

    Descriptions do not count: a better wording is no reason to refuse to run.
    """
    return _hash(_spec(by_kind(kind)))


def _spec(info: KindInfo) -> dict[str, Any]:
    return {
        "group": GROUP,
        "scope": info.scope,
        "names": {
            "kind": info.kind,
            "listKind": f"{info.kind}List",
            "plural": info.plural,
            "singular": info.singular,
            "shortNames": [info.short_name],
            "categories": [CATEGORY],
        },
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "additionalPrinterColumns": [
                    {"name": column.name, "type": column.type, "jsonPath": column.path}
                    | ({"priority": 1} if column.wide else {})
                    for column in info.columns
                ],
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": _schema(info)},
            }
            | (
                {"selectableFields": [{"jsonPath": path} for path in info.selectable_fields]}
                if info.selectable_fields
                else {}
            )
        ],
    }


def _schema(info: KindInfo) -> dict[str, Any]:
    status = structural(info.status, path="status", defaults=False)
    # kstatus takes an object without conditions for ready; a generation that never was says "not seen yet".
    status["default"] = {"observedGeneration": -1}
    return {
        "type": "object",
        "description": info.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(info.spec, path="spec", defaults=True),
            "status": status,
        },
    }


def _hash(spec: Mapping[str, Any]) -> str:
    canonical = json.dumps(_wordless(spec), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _wordless(value: Any, *, names: bool = False) -> Any:
    """Drop descriptions; `names` says that the keys are field names, of which one may be `description`."""
    match value:
        case Mapping():
            return {
                key: _wordless(child, names=key == "properties" and not names)
                for key, child in value.items()
                if names or key != "description"
            }
        case list():
            return [_wordless(child) for child in value]
        case _:
            return value
