from __future__ import annotations

from pathlib import Path

import pytest

from delivery.chart import Chart


@pytest.fixture(scope="session")
def chart(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return Chart(helm, tmp_path_factory.mktemp("helm"))
