from __future__ import annotations

from pathlib import Path

import pytest

from stack.toolchain import GO, MAVEN, MissingToolsError, java, javac, require


def program(folder: Path, name: str, text: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def jdk(home: Path, version: str, *programs: str) -> Path:
    for name in programs:
        program(home / "bin", name)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


def test_every_missing_tool_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingToolsError) as failure:
        require([GO, MAVEN, javac(21)], {"PATH": str(tmp_path)}, tmp_path)
    text = str(failure.value)
    assert "go 1.26 or newer: install it from" in text
    assert "apt-get install maven" in text
    assert "a JDK (java and javac), version 21 or newer" in text


def test_only_what_is_asked_for_is_looked_for(tmp_path: Path) -> None:
    assert require([], {"PATH": str(tmp_path)}, tmp_path) == {}


@pytest.mark.parametrize(("version", "good"), [("go1.26.0", True), ("go1.27.3", True), ("go1.25.9", False)])
def test_go_must_be_new_enough(tmp_path: Path, version: str, *, good: bool) -> None:
    go = program(tmp_path, "go", f"echo go version {version} linux/amd64")
    if good:
        assert require([GO], {"PATH": str(tmp_path)}, tmp_path) == {GO: go}
    else:
        with pytest.raises(MissingToolsError, match=r"go 1\.26 or newer"):
            require([GO], {"PATH": str(tmp_path)}, tmp_path)


def test_java_home_comes_before_path_and_path_before_the_installed_ones(tmp_path: Path) -> None:
    named = jdk(tmp_path / "named", "21.0.1", "java")
    on_path = jdk(tmp_path / "on-path", "17.0.1", "java")
    installed = jdk(tmp_path / "jvm" / "a", "25", "java")
    environ = {"JAVA_HOME": str(named), "PATH": str(on_path / "bin")}
    assert require([java(11)], environ, tmp_path / "jvm") == {java(11): named / "bin" / "java"}
    del environ["JAVA_HOME"]
    assert require([java(11)], environ, tmp_path / "jvm") == {java(11): on_path / "bin" / "java"}
    assert require([java(21)], environ, tmp_path / "jvm") == {java(21): installed / "bin" / "java"}


def test_installed_javas_are_taken_newest_first_and_old_version_numbers_are_read(tmp_path: Path) -> None:
    jdk(tmp_path / "z-old", "1.8.0_400", "java")
    jdk(tmp_path / "b", "17.0.15", "java")
    newest = jdk(tmp_path / "a", "25.0.3", "java")
    assert require([java(8)], {"PATH": ""}, tmp_path) == {java(8): newest / "bin" / "java"}


def test_a_runtime_without_compiler_is_no_jdk(tmp_path: Path) -> None:
    jdk(tmp_path / "runtime", "25", "java")
    with pytest.raises(MissingToolsError, match="javac"):
        require([javac(21)], {"PATH": ""}, tmp_path)
