from __future__ import annotations

import pytest

from opensearch_ml_operator.cli.report import redacted
from opensearch_ml_operator.logs import MASK


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            {"parameters": {"api_key": "x", "model": "small"}},
            {"parameters": {"api_key": MASK, "model": "small"}},
        ),
        (
            {"credentials": [{"name": "role", "value": "x"}]},
            {"credentials": [{"name": "role", "value": MASK}]},
        ),
        ({"env": [{"name": "DB_PASSWORD", "value": "x"}]}, {"env": [{"name": "DB_PASSWORD", "value": MASK}]}),
        ({"env": [{"name": "LOG_LEVEL", "value": "x"}]}, {"env": [{"name": "LOG_LEVEL", "value": "x"}]}),
        ({"Authorization": "Bearer ${credential.key}"}, {"Authorization": "Bearer ${credential.key}"}),
        ({"secretRef": {"name": "key"}}, {"secretRef": {"name": "key"}}),
        ({"metadata": {"name": "a", "managedFields": [1]}}, {"metadata": {"name": "a"}}),
        (({"password": ["x", "y"]},), [{"password": [MASK, MASK]}]),
        ({"token": None, "generation": 1}, {"token": None, "generation": 1}),
    ],
)
def test_what_sounds_like_a_secret_is_masked(value: object, expected: object) -> None:
    assert redacted(value) == expected
