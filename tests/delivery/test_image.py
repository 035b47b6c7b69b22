"""What goes into the image, as far as it can be seen without building it."""

from __future__ import annotations

import operator
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from delivery.chart import ROOT
from opensearch_ml_operator import __version__

DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")


def pins(lock: str) -> dict[str, str]:
    """Return name and version of every package of a lock."""
    lines = (ROOT / lock).read_text().splitlines()
    pinned = [line.removesuffix(" \\").split("==") for line in lines if line[:1].isalnum()]
    return {name.lower().replace("_", "-"): version for name, version in pinned}


def stale(requirements: list[str], pinned: dict[str, str]) -> list[str]:
    needed = map(Requirement, requirements)
    return [
        str(need)
        for need in needed
        if not need.specifier.contains(pinned.get(need.name.lower().replace("_", "-"), "0"), prereleases=True)
    ]


def test_the_dockerfile_has_no_known_flaw() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    answer = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_it_runs_as_nobody_in_particular() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2].splitlines()
    assert "USER 65532:65532" in final
    assert 'ENTRYPOINT ["python", "-m", "opensearch_ml_operator"]' in final
    assert not [line for line in final if line.startswith("RUN ")]


def test_the_bases_own_packages_are_left_alone() -> None:
    commands = re.findall(r"^(?:RUN| &&) pip (.*)$", DOCKERFILE, re.MULTILINE)
    assert len(commands) == 4
    assert [command for command in commands if not command.startswith("--python /opt/")] == []


def test_bytecode_is_written_where_the_pod_reads_it() -> None:
    assert set(re.findall(r"PYTHONPYCACHEPREFIX=(\S+)", DOCKERFILE)) == {"/opt/bytecode"}
    assert "COPY --from=build /opt/bytecode /opt/bytecode\n" in DOCKERFILE


def test_only_what_is_copied_enters_the_build() -> None:
    copied = {
        path
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from=" not in line
        for path in line.split()[1:-1]
    }
    ignore = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert ignore[0] == "*"
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert [path for path in copied if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_hold_a_hash_for_everything_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert pins(lock)
    for block in text.split("==")[1:]:
        assert "--hash=sha256:" in block
    assert "://" not in text


def test_locks_are_up_to_date() -> None:
    runtime, build, dev = map(pins, LOCKS)
    assert stale(PROJECT["project"]["dependencies"], runtime) == []
    assert stale(PROJECT["project"]["optional-dependencies"]["aws"], runtime) == []
    assert stale(PROJECT["build-system"]["requires"], build) == []
    assert stale(PROJECT["dependency-groups"]["dev"], dev) == []
    # All three are installed into one environment.
    for one, other in ((runtime, build), (runtime, dev), (build, dev)):
        assert {name: one[name] for name in one.keys() & other} == {
            name: other[name] for name in one.keys() & other
        }


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0] for name in names} == {
        "opensearch_ml_operator",
        f"opensearch_ml_operator-{__version__}.dist-info",
    }
    assert {
        "opensearch_ml_operator/__init__.py",
        "opensearch_ml_operator/py.typed",
        f"opensearch_ml_operator-{__version__}.dist-info/licenses/LICENSE",
    } <= names


def test_the_folder_operator_does_not_hide_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    program = "import operator; print(operator.add(1, 2), operator.__file__)"
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert answer.stdout.split() == ["3", operator.__file__]
