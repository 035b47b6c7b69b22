"""What docs/providers.md shows of settings is what the operator takes."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from opensearch_ml_operator.models.settings import MLClusterSettingsSpec
from opensearch_ml_operator.reconcilers.settings.claims import PREFIX, Wish, wish

PAGE = (Path(__file__).parents[3] / "docs" / "providers.md").read_text()


def test_the_settings_that_are_shown_can_be_applied() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    document = yaml.safe_load(block)

    assert (document["kind"], document["apiVersion"]) == ("MLClusterSettings", "opensearchml.io/v1alpha1")
    assert wish(MLClusterSettingsSpec.model_validate(document["spec"])) == Wish(
        {f"{PREFIX}connector.private_ip_enabled": "true"}, (r"^https://api\.anthropic\.com/.*$",)
    )
