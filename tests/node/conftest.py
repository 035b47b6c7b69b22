"""A node that runs pods, the operator's image on it, and the chart installed with Helm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.fixtures import STACK
from stack.node.node import Node, open_node
from support.live_stage import Stage, open_stage
from support.node_release import Release

TEST_SECONDS = 600
FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder; their time limit leaves out fixtures, which may build everything."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.node)
            item.add_marker(pytest.mark.timeout(TEST_SECONDS, func_only=True))


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Return a node with the operator's image, built from the Dockerfile."""
    with open_node() as opened:
        request.session.stash[STACK] = opened.stack
        yield opened


@pytest.fixture(scope="module")
def release(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Return the chart's release; a test installs it. At the end nothing of it is in the cluster."""
    opened = Release(node, tmp_path_factory.mktemp("helm"))
    yield opened
    opened.remove_everything()


@pytest.fixture
def stage(request: pytest.FixtureRequest, node: Node) -> Iterator[Stage]:
    """Return a namespace for objects; at its end the operator has taken them away."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:60].strip("-")
    with open_stage(node.stack, name) as opened:
        yield opened
        opened.kube.delete_all()
        opened.until_nothing_is_left()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what the tests have measured."""
    measured = [
        f"{name}: {value}"
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
    ]
    if measured:
        terminalreporter.section("measured")
        terminalreporter.write("\n".join([*measured, ""]))
