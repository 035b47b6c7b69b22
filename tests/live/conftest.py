"""The operator on real servers: one process a module, a namespace of its own for each test."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from stack import versions
from stack.local import Stack
from stack.operator_process import OperatorProcess, start_operator
from support.live_stage import Stage, open_stage

OPERATORS_NAMESPACE = "opensearch-ml"
QUIET = {"quietPeriod": "10s"}
"""Nothing between the operator and a node holds a request back here, and a crash takes it along."""


@pytest.fixture(scope="module")
def operator(local_stack: Stack) -> Iterator[OperatorProcess]:
    """Return an operator for all namespaces. Modules that use it start no other."""
    local_stack.start(opensearch=versions.OPENSEARCH, kubernetes=True, models=True)
    process = start_operator(local_stack, namespace=OPERATORS_NAMESPACE, values=QUIET)
    yield process
    process.stop()


@pytest.fixture
def stage(request: pytest.FixtureRequest, local_stack: Stack, operator: OperatorProcess) -> Iterator[Stage]:
    """Return a namespace against the release of the parameter, 3.6.0 without one; leave nothing behind."""
    version = getattr(request, "param", versions.OPENSEARCH_3)
    with open_stage(local_stack, namespace_of(request.node.name), version) as opened:
        yield opened
        if operator.server.is_running():
            opened.kube.delete_all()
            opened.until_nothing_is_left()


def namespace_of(test: str) -> str:
    """Return a namespace that is named after a test."""
    words = re.sub(r"[^a-z0-9]+", "-", test.lower().removeprefix("test_"))
    return f"t-{words[:60]}".strip("-")
