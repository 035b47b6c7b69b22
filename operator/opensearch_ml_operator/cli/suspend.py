"""`suspend` and `resume`: stop the operator from changing what some objects stand for, and let it go on."""

from __future__ import annotations

import argparse

from ..reconcilers.references import CLUSTER_CONNECTION, CONNECTION
from . import options as shared
from .cluster import open_cluster
from .exits import CommandError, Exit, usage
from .shell import Shell


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("objects", nargs="+", metavar="KIND/NAME", help="objects, such as rmodel/sentences")
    shared.cluster(parser, everywhere=False)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Set spec.suspend of each object, once all of them are known to be there.

    PROBLEMS when the installed CRDs do not know the field.
    """
    wanted = options.command == "suspend"
    async with open_cluster(options, shell) as cluster:
        keys = [cluster.key(each) for each in options.objects]
        if any(key.kind in {CONNECTION, CLUSTER_CONNECTION} for key in keys):
            raise usage("a connection changes nothing in OpenSearch: there is nothing to suspend")
        for key in keys:
            await cluster.get(key)
        for key in keys:
            after = await cluster.patch(key, {"spec": {"suspend": wanted}})
            if bool(after.spec.get("suspend")) is not wanted:
                raise CommandError("the installed CRDs do not know spec.suspend; see `doctor`", Exit.PROBLEMS)
            shell.say(f"{key}: {'suspended' if wanted else 'resumed'}")
    return Exit.OK
