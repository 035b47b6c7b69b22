"""docs/opensearch-role.md shows the role that is shipped."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "opensearch-role.md").read_text()
FOLDER = ROOT / "deploy" / "opensearch-role"
ROLE: dict[str, Any] = json.loads((FOLDER / "role.json").read_text())
PROBE_ROLE: dict[str, Any] = json.loads((FOLDER / "probe-role.json").read_text())
SETTINGS_ROLE: dict[str, Any] = json.loads((FOLDER / "settings-role.json").read_text())


def test_the_configuration_file_holds_the_same_role() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert yaml.safe_load(block) == {"ml-operator": ROLE}


def test_every_permission_is_explained() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| \S.* \|$", PAGE, re.MULTILINE)
    assert rows == ROLE["cluster_permissions"]


def test_the_pages_count_right() -> None:
    number = len(ROLE["cluster_permissions"])
    assert f"{number} cluster permissions" in PAGE
    assert f"the {number} permissions of" in (ROOT / "SECURITY.md").read_text()


def test_the_role_for_probes_is_one_permission_more() -> None:
    assert PROBE_ROLE["cluster_permissions"] == ["cluster:admin/opensearch/ml/predict"]
    assert not set(PROBE_ROLE["cluster_permissions"]) & set(ROLE["cluster_permissions"])
    assert "deploy/opensearch-role/probe-role.json" in PAGE


def test_the_role_for_settings_is_one_permission_more() -> None:
    assert SETTINGS_ROLE["cluster_permissions"] == ["cluster:admin/settings/update"]
    assert not set(SETTINGS_ROLE["cluster_permissions"]) & set(ROLE["cluster_permissions"])
    assert "deploy/opensearch-role/settings-role.json" in PAGE


def test_the_role_holds_no_wildcard_and_no_right_on_data() -> None:
    assert set(ROLE) == {"description", "cluster_permissions"}
    assert not [permission for permission in ROLE["cluster_permissions"] if "*" in permission]
