"""Writes a CustomResourceDefinition as YAML that a person can read and a diff can follow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import yaml

HEADER: Final = "# Generated from the models by `make crds`; changes made here are lost.\n"


def to_yaml(definition: Mapping[str, Any]) -> str:
    """Return the YAML text of a definition."""
    # A copy by way of JSON shares no part with another: YAML would write the second one as an alias.
    copy = json.loads(json.dumps(definition))
    return HEADER + yaml.safe_dump(copy, sort_keys=False, width=110, allow_unicode=True)
