"""The command line as a person runs it, in the test's own process."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opensearch_ml_operator.cli.__main__ import execute
from opensearch_ml_operator.cli.shell import Shell


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON that it printed."""
        return json.loads(self.out)


async def run(*arguments: str | Path, environ: Mapping[str, str]) -> Ran:
    """Run one command."""
    out, err = io.StringIO(), io.StringIO()
    code = await execute([str(each) for each in arguments], Shell(out=out, err=err, environ=environ))
    return Ran(code, out.getvalue(), err.getvalue())
