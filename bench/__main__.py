"""`make bench`: the operator beside a raw driver, in turn, on one server; a table, and a JSON beside it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx

from bench.driven import OperatorDriver
from bench.fake_opensearch import start_fake
from bench.figures import Figures
from bench.neighbours import Neighbours
from bench.raw import CONNECTIONS, RawDriver
from bench.table import STEPS, table
from bench.usage import OPENSEARCH, Servers
from stack import versions
from stack.local import Stack, open_stack
from stack.operator_process import OperatorProcess, start_operator
from support.live_remote import open_remote
from support.live_sets import KEY, Sets
from support.live_stage import Stage, open_stage

RESULTS: Final = Path("bench-results")
FAKE: Final = "fake"
SETS_EACH: Final = 10
SLOW: Final = 5.0
"""Seconds that a slow server takes for an answer."""


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sets", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--gates", type=int, nargs="*", default=[4], help="of the raw driver, each in turn")
    parser.add_argument("--opensearch", choices=[versions.OPENSEARCH_3, FAKE], default=versions.OPENSEARCH_3)
    parser.add_argument("--answer", type=float, default=0.02, help="seconds that the fake takes to answer")
    parser.add_argument(
        "--steps", nargs="+", default=STEPS, help="without `delete` all is left where it is (default: all)"
    )
    parser.add_argument("--interval", type=int, default=30, help="seconds from one resync to the next")
    parser.add_argument("--resyncs", type=int, default=1, help="that pass in a row, each measured")
    parser.add_argument(
        "--connections",
        type=int,
        help="with --opensearch fake: ten sets on each, beside a dead and a slow one",
    )
    parser.add_argument("--raw-only", action="store_true", help="without the operator")
    parser.add_argument("--name", default="latest", help="of the files in bench-results/")
    chosen = parser.parse_args()
    with open_stack() as stack:
        if chosen.opensearch == FAKE:
            stack.use(start_fake(stack, answer=chosen.answer))
        stack.start(opensearch=(versions.OPENSEARCH_3,), kubernetes=True, models=True)
        runs: list[Figures] = []
        for run in _beside_bad_ones(stack, chosen) if chosen.connections else _all_runs(stack, chosen):
            runs.append(run)
            _write(runs, chosen.name)  # what is broken off has told what it had
    print(table(runs))
    return 0


def _write(runs: Sequence[Figures], name: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(f"{table(runs)}\n")
    (RESULTS / f"{name}.json").write_text(json.dumps([each.as_dict() for each in runs], indent=1))


def _all_runs(stack: Stack, chosen: argparse.Namespace) -> Iterator[Figures]:
    """Run the drivers in turn, so that what else the machine does meets all of them."""
    for repeat in range(chosen.repeats):
        for sets in chosen.sets:
            name = f"bench-{repeat}-{sets}"
            with open_stage(stack, f"{name}-raw") as stage:
                for gate in chosen.gates:
                    yield from _said(asyncio.run(_raw(stage, gate, sets, chosen.steps)))
            if not chosen.raw_only:
                with open_stage(stack, name) as stage, _operator(stage) as operator:
                    yield from _said(_driven(stage, operator, sets, chosen))


def _beside_bad_ones(stack: Stack, chosen: argparse.Namespace) -> Iterator[Figures]:
    """Run the same connections alone, and then beside one that is dead and one that is slow."""
    dead, slow = f"http://127.0.0.1:{stack.ports.take()}", start_fake(stack, answer=SLOW).url
    for repeat in range(chosen.repeats):
        for number, bad in enumerate([(), (dead, slow)]):
            with open_stage(stack, f"bench-{repeat}-{number}") as stage, _operator(stage) as operator:
                yield from _said([Neighbours(stage, operator, chosen.connections, SETS_EACH, bad).create()])


async def _raw(stage: Stage, gate: int, sets: int, steps: Sequence[str]) -> list[Figures]:
    limits = httpx.Limits(max_connections=CONNECTIONS)
    node, prefix = stage.sets.node, f"{stage.kube.namespace}-{gate}"
    async with httpx.AsyncClient(base_url=node.url, limits=limits, timeout=60, trust_env=False) as client:
        driver = RawDriver(client, gate, _connector(stage.sets), prefix, _servers(stage))
        figures = [_counted(await driver.create(sets), stage, prefix)]
        if "edit" in steps:
            figures.append(await driver.edit())
        if "rotate" in steps:
            figures.append(await driver.rotate())
        if "delete" in steps:
            figures.append(await driver.delete())
        return figures


def _driven(
    stage: Stage, operator: OperatorProcess, sets: int, chosen: argparse.Namespace
) -> Iterator[Figures]:
    stage.connect()
    driver = OperatorDriver(stage, operator, _servers(stage), interval=chosen.interval)
    steps: Sequence[str] = chosen.steps
    yield _counted(driver.create(sets), stage, stage.kube.namespace)
    if "resync" in steps:
        yield from (driver.resync() for _ in range(chosen.resyncs))
    for step, act in (
        ("restart", driver.restart),
        ("drift", driver.drift),
        ("edit", driver.edit),
        ("rotate", driver.rotate),
        ("delete", driver.delete),
    ):
        if step in steps:
            yield act()
    if "delete" in steps:
        stage.kube.delete_all()


def _servers(stage: Stage) -> Servers:
    control_plane, node = stage.stack.control_plane, stage.sets.node
    servers = {
        OPENSEARCH: node.server,
        "kube-apiserver": control_plane.api_server,
        "etcd": control_plane.etcd,
    }
    return Servers({name: server.pid for name, server in servers.items() if server is not None})


def _counted(figures: Figures, stage: Stage, prefix: str) -> Figures:
    """Add the models that are there and belong to no set."""
    with open_remote(stage.sets.node) as remote:  # a connection that has rested is closed by the server
        # With the space behind it: the raw driver's names begin with the operator's namespace.
        spare = len(remote.find("models", f"{prefix} ")) - figures.sets
    return replace(figures, spare=spare)


@contextmanager
def _operator(stage: Stage) -> Iterator[OperatorProcess]:
    namespace = stage.kube.namespace
    operator = start_operator(
        stage.stack, namespace=f"{namespace}-operator", release=namespace, watch=[namespace]
    )
    try:
        yield operator
    finally:
        operator.stop()


def _connector(sets: Sets) -> dict[str, Any]:
    """Return the body of the connector that the operator's sets have."""
    action = {
        "action_type": "predict",
        "method": "POST",
        "url": sets.url,
        "headers": {"Authorization": "Bearer ${credential.key}"},
        "request_body": '{"input": ${parameters.input}}',
    }
    return {
        "name": "bench",
        "description": "",
        "version": "1",
        "protocol": "http",
        "parameters": {},
        "credential": {"key": KEY},
        "actions": [action],
    }


def _said(runs: Iterable[Figures]) -> Iterator[Figures]:
    for run in runs:
        print(
            f"{run.sets:6} sets  {run.driver:14} {run.step:8} {run.wall:8.2f} s", file=sys.stderr, flush=True
        )
        yield run


if __name__ == "__main__":
    sys.exit(main())
