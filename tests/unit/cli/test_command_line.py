from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from opensearch_ml_operator.cli import __main__ as command_line
from opensearch_ml_operator.cli.exits import Exit
from support.command_line import run

ROOT = Path(__file__).parents[3]
HEAVY = ("kopf", "kubernetes", "pydantic", "httpx", "yaml", "aiohttp")


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line._parser([name, "--help"], "opensearch-ml").parse_args([name, "--help"])  # noqa: SLF001
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: opensearch-ml {name}" in shown
    module = importlib.import_module(f"opensearch_ml_operator.cli.{command_line._module(name)}")  # noqa: SLF001
    assert module.__doc__
    assert f"`{name}`" in module.__doc__


def test_the_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['opensearch-ml', '--help']\n"
        "from opensearch_ml_operator.cli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "[]"
    assert all(name in ran.stdout for name in command_line.COMMANDS)


def test_both_programs_lead_to_the_command_line() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    main = "opensearch_ml_operator.cli.__main__:main"
    assert {name for name, target in scripts.items() if target == main} == {
        "opensearch-ml",
        "kubectl-opensearch_ml",
    }


async def test_without_a_command_the_help_is_shown() -> None:
    ran = await run(environ={})
    assert ran.code == Exit.USAGE
    assert "commands:" in ran.out


async def test_a_kubeconfig_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    ran = await run("status", "--kubeconfig", tmp_path / "none", environ={})
    assert ran.code == Exit.USAGE
    assert f"the kubeconfig {tmp_path / 'none'} is missing" in ran.err


async def test_namespace_and_all_namespaces_exclude_each_other() -> None:
    ran = await run("status", "-A", "-n", "team", environ={})
    assert (ran.code, ran.err) == (Exit.USAGE, "error: -n and -A exclude each other\n")
