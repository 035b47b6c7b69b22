"""`python -m stack`: start the servers, say where they are, and stay up until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

from stack import versions
from stack.cache import BuildError
from stack.local import Stack, open_stack, start_stack
from stack.node.images import OPERATOR
from stack.node.node import build_node, open_node
from stack.server import ServerError
from stack.toolchain import MissingToolsError


def main() -> int:
    """Run the command line. Ctrl-C, SIGTERM and a closed terminal end the servers and are no failure."""
    arguments = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's background job ignores SIGINT
        signal.signal(number, _interrupt)
    chosen = tuple(dict.fromkeys(arguments.opensearch or versions.OPENSEARCH))
    try:
        if arguments.build_only:
            with open_stack() as stack:
                if arguments.node:
                    build_node(stack, chosen)
                else:
                    stack.build(opensearch=chosen, kubernetes=True, commands=True)
            return 0
        with _started(chosen, node=arguments.node) as stack:
            print(describe(stack, chosen), flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("ended", file=sys.stderr)
    except (MissingToolsError, BuildError, ServerError, FileNotFoundError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def describe(stack: Stack, opensearch: tuple[str, ...]) -> str:
    """Return what a person needs to use the running servers."""
    control_plane, model_server = stack.control_plane, stack.model_server
    lines = [
        "",
        f"Kubernetes {versions.KUBERNETES}   {control_plane.url}",
        f"  export KUBECONFIG={control_plane.kubeconfig}",
        f"  {control_plane.kubectl} get namespaces",
    ]
    for version in opensearch:
        node = stack.opensearch(version)
        lines += ["", f"OpenSearch {version}   {node.url}"]
        access = f" --cacert {node.ca_file}" if node.ca_file is not None else ""
        if node.username is not None:
            lines.append(f"  user {node.username}, password {node.password}")
            access += f" --user {node.username}:{node.password}"
        lines.append(f"  curl{access} {node.url}")
    if stack.network.node is not None:
        lines += ["", f"Image on the node   {OPERATOR}"]
    lines += ["", f"Model server   {model_server.url}/v1/embeddings, {model_server.url}/v1/chat/completions"]
    lines += [f"  curl {model_server.url}/_control/requests"]
    return "\n".join([*lines, "", f"Logs and data in {stack.folder}. Ctrl-C ends everything."])


@contextlib.contextmanager
def _started(opensearch: Sequence[str], *, node: bool) -> Iterator[Stack]:
    if node:
        with open_node(opensearch) as opened:
            yield opened.stack
    else:
        with start_stack(opensearch) as stack:
            yield stack


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    parser.add_argument(
        "--opensearch",
        action="append",
        choices=versions.OPENSEARCH,
        metavar="VERSION",
        help=f"an OpenSearch release, may be repeated (default: {' and '.join(versions.OPENSEARCH)})",
    )
    parser.add_argument(
        "--node",
        action="store_true",
        help="and a node that runs pods, with the operator's image (root)",
    )
    parser.add_argument(
        "--build-only", action="store_true", help="fill the cache (with Helm too) and start nothing"
    )
    return parser


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
