"""The command line: finds the module of a command, which alone is imported, and runs it."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..errors import KubernetesForbiddenError, KubernetesUnavailableError, MLCode, MLError, OperatorError
from .exits import CommandError, Exit
from .shell import Shell

COMMANDS = {
    "doctor": "say what is wrong, from DNS to the cluster settings, and how to mend it",
    "status": "show all objects with what is wrong with them",
    "tree": "show connections with their connectors and models",
    "lint": "judge manifests before they are applied",
    "render": "show the requests that applying manifests would make",
    "predict": "call a model once",
    "reconcile": "have the operator look at objects now",
    "suspend": "stop the operator from changing what objects stand for",
    "resume": "let it go on",
    "diff": "show what differs between specs and OpenSearch",
    "import": "make manifests of a connector blueprint",
    "export": "make manifests that adopt what is in an OpenSearch",
    "report": "write a bundle to send along with a question, without secrets",
}
EPILOG = """\
exit codes: 0 all is well; 1 something is wrong, different or not ready; 2 usage; 3 a server does not
answer; 4 a right is missing; 5 not in time; 130 interrupted.

The command acts with your own rights: the kubeconfig decides who you are, as with kubectl.
"""


def main() -> None:
    """Run the command of this process."""
    program = Path(sys.argv[0]).name
    prog = "kubectl opensearch-ml" if program.startswith("kubectl-") else "opensearch-ml"
    shell = Shell(out=sys.stdout, err=sys.stderr, environ=os.environ, prog=prog)
    try:
        code = asyncio.run(execute(sys.argv[1:], shell))
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.OK
    sys.exit(code)


async def execute(arguments: Sequence[str], shell: Shell) -> int:
    """Run one command line and return its exit code; SystemExit from argparse for a wrong one."""
    options = _parser(arguments, shell.prog).parse_args(arguments)
    if options.command is None:
        _parser(arguments, shell.prog).print_help(shell.out)
        return Exit.USAGE
    module = importlib.import_module(f".{_module(options.command)}", __package__)
    try:
        code: Exit = await module.run(options, shell)
    except (OperatorError, CommandError) as error:
        shell.progress("")
        shell.tell(f"error: {error}")
        return _exit(error)
    except OSError as error:
        shell.progress("")
        shell.tell(f"error: {error.filename or 'file'}: {error.strerror}")
        return Exit.USAGE
    shell.progress("")
    return code


def _exit(error: Exception) -> Exit:
    match error:
        case CommandError():
            return error.exit
        case KubernetesForbiddenError():
            return Exit.FORBIDDEN
        case KubernetesUnavailableError():
            return Exit.UNREACHABLE
        case MLError(code=MLCode.UNAUTHENTICATED | MLCode.FORBIDDEN):
            return Exit.FORBIDDEN
        case MLError(code=MLCode.NOT_SENT | MLCode.TLS_FAILED | MLCode.AMBIGUOUS):
            return Exit.UNREACHABLE
        case _:
            return Exit.PROBLEMS


def _parser(arguments: Sequence[str], prog: str) -> argparse.ArgumentParser:
    """Return the parser; only the command that is asked for describes its arguments."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Models of OpenSearch ML Commons on Kubernetes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        about = f"{summary[0].upper()}{summary[1:]}."
        command = commands.add_parser(name, help=summary, description=about)
        if name == asked:
            importlib.import_module(f".{_module(name)}", __package__).arguments(command)
    return parser


def _module(command: str) -> str:
    return {"import": "import_blueprint", "resume": "suspend"}.get(command, command)


if __name__ == "__main__":
    main()
