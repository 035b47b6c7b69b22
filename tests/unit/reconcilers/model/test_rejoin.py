from __future__ import annotations

import pytest

from opensearch_ml_operator.reconcilers.model.rejoin import deployed_at


def test_the_servers_milliseconds_are_a_time() -> None:
    assert deployed_at({"last_deployed_time": 1795892557359}) == "2026-11-28T19:02:37.359+00:00"


@pytest.mark.parametrize("odd", [None, "1795892557359", True, 1.5, 10**30, -(10**30), []])
def test_whatever_else_stands_there_is_no_time(odd: object) -> None:
    assert deployed_at({"last_deployed_time": odd}) is None
    assert deployed_at({}) is None
