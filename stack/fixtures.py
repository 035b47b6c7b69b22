"""pytest fixtures: the real servers, each started once a session, when a test first asks for it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from stack import versions
from stack.controlplane import ControlPlane
from stack.local import Stack, open_stack
from stack.modelserver.client import ModelServer
from stack.opensearch_node import OpenSearch
from stack.process import tail

TEST_SECONDS = 300
STACK = pytest.StashKey[Stack]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the servers; their time limit leaves out fixtures, which may build them."""
    for item in items:
        if isinstance(item, pytest.Function) and "local_stack" in item.fixturenames:
            item.add_marker(pytest.mark.live)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TEST_SECONDS, func_only=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of every server's log to the report of a failed test, and keep the logs."""
    report = yield
    stack = item.session.stash.get(STACK, None)
    if report.failed and stack is not None:
        stack.keep_folder = True
        for log_file in stack.logs():
            report.sections.append((f"the end of {log_file}", tail(log_file)))
    return report


@pytest.fixture(scope="session")
def local_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Return the stack itself: `local_stack.start(...)` starts several servers side by side."""
    with open_stack() as stack:
        request.session.stash[STACK] = stack
        yield stack


@pytest.fixture(scope="session")
def control_plane(local_stack: Stack) -> ControlPlane:
    """Return etcd, kube-apiserver and kube-controller-manager."""
    return local_stack.control_plane


@pytest.fixture(scope="session")
def opensearch_360(local_stack: Stack) -> OpenSearch:
    """Return OpenSearch 3.6.0 without Security, with k-NN and neural-search."""
    return local_stack.opensearch(versions.OPENSEARCH_3)


@pytest.fixture(scope="session")
def opensearch_219(local_stack: Stack) -> OpenSearch:
    """Return OpenSearch 2.19.1 with Security."""
    return local_stack.opensearch(versions.OPENSEARCH_2)


@pytest.fixture(scope="session")
def model_server(local_stack: Stack) -> ModelServer:
    """Return the model server. A test that sets faults or keys clears them."""
    return local_stack.model_server


@pytest.fixture(scope="session")
def helm(local_stack: Stack) -> Path:
    """Return the Helm command."""
    return local_stack.helm()


@pytest.fixture(scope="session")
def promtool(local_stack: Stack) -> Path:
    """Return Prometheus' checker of rules and metrics."""
    return local_stack.promtool()
