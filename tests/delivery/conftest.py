from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.chart import Chart
from stack.local import open_stack


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chart]:
    with open_stack() as stack:
        helm: Path = stack.helm()
        yield Chart(helm, tmp_path_factory.mktemp("helm"))
