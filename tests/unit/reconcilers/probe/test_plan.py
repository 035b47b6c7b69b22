"""When a model is probed, and from which failure on it is unhealthy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.models.probe import Probe
from opensearch_ml_operator.reconcilers.probe.plan import LONGEST_RETRY, Known, healthy, wait

ON_CHANGE = Probe(parameters={})
PERIODIC = Probe(mode="Periodic", parameters={}, interval="2m")
RARE = Probe(mode="Periodic", parameters={}, interval="6h")


def known(**changes: Any) -> Known:
    return Known(**{"healthy": True, "failures": 0, "since": 0.0, "asked": False, **changes})


def failed(failures: int = 1, **changes: Any) -> Known:
    return known(healthy=False, failures=failures, **changes)


@pytest.mark.parametrize(
    ("probe", "last", "expected"),
    [
        pytest.param(ON_CHANGE, None, 0, id="nothing-known"),
        pytest.param(PERIODIC, None, 0, id="nothing-known-periodic"),
        pytest.param(ON_CHANGE, known(since=1e9), None, id="healthy-is-left-alone"),
        pytest.param(ON_CHANGE, known(since=1e9, asked=True), None, id="healthy-also-when-asked"),
        pytest.param(PERIODIC, known(since=50), 70, id="healthy-until-the-interval-is-over"),
        pytest.param(PERIODIC, known(since=50, asked=True), 70, id="not-earlier-when-asked"),
        pytest.param(PERIODIC, known(since=120), 0, id="the-interval-is-over"),
        pytest.param(PERIODIC, known(failures=2, since=0), 120, id="a-failure-that-does-not-count-yet"),
        pytest.param(ON_CHANGE, failed(1), 10, id="first-retry"),
        pytest.param(ON_CHANGE, failed(1, since=4), 6, id="rest-of-the-first-pause"),
        pytest.param(ON_CHANGE, failed(2), 20, id="second-retry"),
        pytest.param(ON_CHANGE, failed(4), 80, id="fourth-retry"),
        pytest.param(ON_CHANGE, failed(10_000), LONGEST_RETRY, id="longest-pause"),
        pytest.param(PERIODIC, failed(9), 120, id="no-longer-than-the-interval"),
        pytest.param(RARE, failed(9), LONGEST_RETRY, id="unhealthy-does-not-wait-for-a-long-interval"),
        pytest.param(ON_CHANGE, failed(9, asked=True), 0, id="at-once-when-asked"),
    ],
)
def test_the_next_probe_is_due(probe: Probe, last: Known | None, expected: float | None) -> None:
    assert wait(probe, last) == expected


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        pytest.param(None, False, id="after-a-change"),
        pytest.param(failed(), False, id="unhealthy-before"),
        pytest.param(known(failures=0), True, id="first-of-three"),
        pytest.param(known(failures=1), True, id="second-of-three"),
        pytest.param(known(failures=2), False, id="third-of-three"),
    ],
)
def test_a_failure_counts(last: Known | None, *, expected: bool) -> None:
    assert healthy(PERIODIC, last, answered=False) is expected
    assert healthy(PERIODIC, last, answered=True) is True


@given(st.integers(1, 10**6), st.floats(0, 1e6), st.sampled_from([ON_CHANGE, PERIODIC, RARE]))
def test_an_unhealthy_model_is_probed_again_within_five_minutes(
    failures: int, since: float, probe: Probe
) -> None:
    left = wait(probe, failed(failures, since=since))
    assert left is not None
    assert 0 <= left <= LONGEST_RETRY
