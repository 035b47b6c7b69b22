from __future__ import annotations

import fcntl
import re
import threading
from pathlib import Path

import pytest

from delivery.chart import ROOT
from stack import versions
from stack.node.base_images import BASE, BUILDAH, base_images
from stack.node.box import ADDRESS, NETWORK, PODS, one_at_a_time
from stack.node.needs import PLUGINS, PROGRAMS, require_machine, with_system_programs
from stack.toolchain import GO, MissingToolsError

ROOT_USER, SOMEBODY = 0, 1000


def machine(folder: Path, *, unshare: str = "exit 0") -> dict[str, str]:
    """Fill a folder with programs of the right names, and plugins; return the environment."""
    (folder / "bin").mkdir()
    (folder / "cni").mkdir()
    for name in PROGRAMS:
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{unshare if name == 'unshare' else ''}\n")
        program.chmod(0o755)
    for name in PLUGINS:
        (folder / "cni" / name).touch()
    return {"PATH": str(folder / "bin")}


def test_all_that_is_missing_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingToolsError) as failure:
        require_machine({"PATH": str(tmp_path)}, [BUILDAH, GO], user=SOMEBODY, folders=(tmp_path,))
    text = str(failure.value)
    packages = ("containerd", "runc", "buildah", "nftables", "iproute2", "util-linux")
    for package in (*packages, "containernetworking-plugins"):
        assert f"`apt-get install {package}`" in text
    assert "go 1.26 or newer" in text
    assert "sudo make node" in text


def test_a_machine_that_has_everything_is_found(tmp_path: Path) -> None:
    found = require_machine(
        machine(tmp_path), [], user=ROOT_USER, folders=(Path("/nowhere"), tmp_path / "cni")
    )
    assert found.plugins == tmp_path / "cni"
    assert found.programs["runc"] == tmp_path / "bin" / "runc"


def test_root_without_the_rights_of_root_is_told(tmp_path: Path) -> None:
    environ = machine(tmp_path, unshare="echo unshare failed: Operation not permitted >&2; exit 1")
    with pytest.raises(MissingToolsError, match="Operation not permitted"):
        require_machine(environ, [], user=ROOT_USER, folders=(tmp_path / "cni",))


def test_an_administrators_programs_are_found_by_a_users_path() -> None:
    assert with_system_programs({"PATH": "/bin", "HOME": "/h"}) == {
        "PATH": "/bin:/usr/sbin:/sbin",
        "HOME": "/h",
    }


def test_the_base_is_the_one_of_the_dockerfile() -> None:
    (base,) = re.findall(r"^ARG BASE=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert f"localhost/{base}" == BASE
    assert base_images().version == versions.DEBIAN


def test_no_two_networks_overlap() -> None:
    assert (
        len(
            {NETWORK.address.rpartition(".")[0], PODS.rpartition(".")[0], NETWORK.services.rpartition(".")[0]}
        )
        == 3
    )
    assert ADDRESS.rpartition(".")[0] == NETWORK.address.rpartition(".")[0]
    assert NETWORK.api_service == "10.202.0.1"


def test_a_second_node_waits_for_the_first(tmp_path: Path) -> None:
    said: list[str] = []
    entered = threading.Event()

    def second() -> None:
        with one_at_a_time(tmp_path / "lock", said.append):
            entered.set()

    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.2)
        fcntl.flock(held, fcntl.LOCK_UN)
        assert entered.wait(10)
    thread.join()
    assert said == ["waiting for another run's node …"]
