"""`python -m demo`: start all servers, show the steps, end all; the exit code says whether all was seen."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from types import FrameType

from demo.kubectl import Kubectl
from demo.quickstart import NAMESPACE
from demo.screen import NotSeenError, Screen
from demo.setting import open_scenario
from stack import versions
from stack.cache import BuildError
from stack.controlplane import KubectlError
from stack.local import Stack, open_stack
from stack.operator_process import OperatorProcess, start_operator
from stack.process import tail
from stack.server import ServerError
from stack.toolchain import MissingToolsError


def main() -> int:
    """Run the command line: 0 when everything was seen, 1 when not, 130 after Ctrl-C."""
    arguments = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a background job ignores SIGINT
        signal.signal(number, _interrupt)
    screen = Screen(sys.stdout, time.monotonic)
    try:
        with open_stack() as stack:
            return show(stack, arguments.opensearch, arguments.seed, screen)
    except KeyboardInterrupt:
        print("ended", file=sys.stderr)
        return 130
    except (MissingToolsError, BuildError, ServerError, FileNotFoundError) as problem:
        print(problem, file=sys.stderr)
        return 1


def show(stack: Stack, version: str, seed: int, screen: Screen) -> int:
    """Start the servers and the operator, and take the steps; return the exit code."""
    began = screen.clock()
    secured = version == versions.OPENSEARCH_2
    kind = "https, users and access control" if secured else "k-NN and neural-search"
    title = (
        f"Kubernetes {versions.KUBERNETES}, OpenSearch {version} ({kind}), a server with an embedding model"
    )
    with screen.step(title) as step:
        stack.start(opensearch=(version,), kubernetes=True, models=True)
        step.seen = "up"
    with screen.step(
        "The operator, with the ServiceAccount, the roles and the settings of its chart"
    ) as step:
        operator = start_operator(stack, values={"log": {"format": "text"}})
        step.seen = "ready"
    chance = random.Random(seed)  # noqa: S311 - no secret
    try:
        with open_scenario(stack, version, screen=screen, chance=chance) as scenario:
            scenario.run()
    except (NotSeenError, KubectlError) as problem:
        stack.keep_folder = True
        report(problem, stack, operator, screen)
        screen.say(f"FAILED after {screen.clock() - began:.0f} s (seed {seed})")
        return 1
    operator.stop()
    screen.say(f"Everything was seen, in {screen.clock() - began:.0f} s (seed {seed})")
    return 0


def report(problem: Exception, stack: Stack, operator: OperatorProcess, screen: Screen) -> None:
    """Say what was expected, what kubectl tells of the objects, and what the operator wrote last."""
    screen.say(f"\nexpected: {problem}")
    kubectl = Kubectl(stack.control_plane, NAMESPACE)
    for resource in problem.about if isinstance(problem, NotSeenError) else ():
        screen.say(f"\n$ kubectl describe {resource}\n{kubectl.describe(resource)}")
    screen.say(f"\nthe end of the operator's log, {operator.log_file}:\n{tail(operator.log_file)}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--opensearch", choices=versions.OPENSEARCH, default=versions.OPENSEARCH_3)
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10_000), help="of the order of deletions"
    )
    return parser


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
