"""The version is decided in one place, and whatever repeats it says the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from delivery.chart import ROOT
from opensearch_ml_operator import __version__

MAKEFILE = (ROOT / "Makefile").read_text()
(LISTED,) = re.findall(r"^VERSIONED := (.*)$", MAKEFILE.replace("\\\n", " "), re.MULTILINE)
VERSIONED = LISTED.split()
OURS = re.compile(
    r"(?:opensearch-ml-operator[:-]|__version__ = \"|ersion: \"?|(?:tag|Revision): v)(\d+\.\d+\.\d+)"
)


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = ["make", "--silent", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def files_that_repeat_it() -> list[str]:
    """Return the files of which somebody would have to think."""
    folders = ("deploy", "docs", "examples", "operator")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    texts = [path for path in found if path.suffix in {".md", ".py", ".yaml"}]
    return [str(path.relative_to(ROOT)) for path in texts if __version__ in OURS.findall(path.read_text())]


def test_it_is_repeated_nowhere_else() -> None:
    assert sorted(files_that_repeat_it()) == sorted(VERSIONED)
    assert f'"{__version__}"' not in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("path", VERSIONED)
def test_no_other_version_is_named(path: str) -> None:
    assert set(OURS.findall((ROOT / path).read_text())) == {__version__}


def test_the_chart_and_what_it_installs_have_one_version() -> None:
    chart = yaml.safe_load((ROOT / "deploy" / "chart" / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_it_can_be_changed_everywhere_at_once(tmp_path: Path) -> None:
    for path in ("Makefile", "CHANGELOG.md", *VERSIONED):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    assert make("bump", "NEW=77.8.9", folder=tmp_path).returncode == 0
    for path in VERSIONED:
        assert set(OURS.findall((tmp_path / path).read_text())) == {"77.8.9"}

    refused = make("version", "TAG=v1.0.0", folder=tmp_path)
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (
        2,
        "the tag is v1.0.0, the version 77.8.9",
    )
    refused = make("version", "TAG=v77.8.9", folder=tmp_path)
    assert refused.stderr.splitlines()[0] == "CHANGELOG.md has no section for 77.8.9"
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text(
        "## [Unreleased]\n\n- no\n\n## [77.8.9] - 2026-01-01\n\n- yes\n\n## [77.8]\n\n- old\n"
    )
    assert make("version", "TAG=v77.8.9", folder=tmp_path).returncode == 0
    assert make("notes", folder=tmp_path).stdout.split() == ["-", "yes"]
