from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from stack.controlplane import given_programs
from stack.local import open_stack, start_stack
from stack.server import ServerError
from stack.toolchain import MissingToolsError

ASSETS = ("etcd", "kube-apiserver", "kubectl")


def assets(folder: Path, *programs: str) -> Path:
    folder.mkdir()
    for name in programs:
        (folder / name).write_text("#!/bin/sh\necho $0 says no; exit 1\n")
        (folder / name).chmod(0o755)
    return folder


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    (tmp_path / "path").mkdir()
    shell = shutil.which("sh")
    assert shell is not None
    (tmp_path / "path" / "sh").symlink_to(shell)
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": str(tmp_path / "path"), **more}


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_missing_tools_are_named_together_before_anything_is_built(
    tmp_path: Path, temporary_folder: Path
) -> None:
    said: list[str] = []
    bare = environ(tmp_path)
    with pytest.raises(MissingToolsError) as failure, start_stack(("3.6.0",), environ=bare, say=said.append):
        pass
    assert "go 1.26" in str(failure.value)
    assert "mvn" in str(failure.value)
    assert said == []
    assert list(temporary_folder.iterdir()) == []


def test_what_the_environment_gives_needs_no_tools(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9"
    given = environ(tmp_path, OPENSEARCH_3_6_0_URL=url)
    with start_stack(("3.6.0",), kubernetes=False, models=False, environ=given) as stack:
        assert stack.opensearch("3.6.0").url == url


def test_failed_start_keeps_the_logs_and_says_where(tmp_path: Path, temporary_folder: Path) -> None:
    said: list[str] = []
    folder = assets(tmp_path / "assets", *ASSETS, "kube-controller-manager")
    given = environ(tmp_path, KUBEBUILDER_ASSETS=str(folder))
    with (
        pytest.raises(ServerError, match=r"(?s)etcd ended before it was ready.*etcd says no"),
        start_stack((), models=False, environ=given, say=said.append),
    ):
        pass
    (run,) = temporary_folder.iterdir()
    assert said == [f"the logs are in {run}"]
    assert "says no" in (run / "kubernetes" / "etcd.log").read_text()


def test_clean_end_leaves_nothing(tmp_path: Path, temporary_folder: Path) -> None:
    with open_stack(environ(tmp_path)) as stack:
        assert stack.folder.parent == temporary_folder
        child = stack.processes.start(["sh", "-c", "sleep 600"], stack.folder / "log", env=os.environ)
    assert child.returncode is not None
    assert list(temporary_folder.iterdir()) == []


def test_after_a_failure_the_logs_stay_alone_and_what_is_linked_is_untouched(tmp_path: Path) -> None:
    cached = tmp_path / "cached"
    cached.mkdir()
    (cached / "plugin.jar").touch()
    with open_stack(environ(tmp_path)) as stack:
        stack.keep_folder = True
        part = stack.folder / "part"
        (part / "data" / "deep").mkdir(parents=True)
        (part / "data" / "deep" / "wal").touch()
        (part / "part.log").touch()
        (part / "plugins").symlink_to(cached)
    assert [path.relative_to(stack.folder) for path in stack.folder.rglob("*")] == [
        Path("part"),
        Path("part/part.log"),
    ]
    assert (cached / "plugin.jar").exists()


def test_given_control_plane_may_lack_the_controller_manager_alone(tmp_path: Path) -> None:
    built = assets(tmp_path / "built", "kube-controller-manager")
    given = assets(tmp_path / "given", *ASSETS)
    programs = given_programs(given, built)
    assert (programs.kubectl, programs.controller_manager) == (
        given / "kubectl",
        built / "kube-controller-manager",
    )
    (given / "etcd").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"KUBEBUILDER_ASSETS is set, but .*given/etcd is not a program"
    ):
        given_programs(given, built)
