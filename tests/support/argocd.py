"""The health check for Argo CD, run as Argo CD runs it: Lua 5.1, `obj` global, no standard libraries.

Source: argo-cd, util/lua/lua.go (gopher-lua opens only the base, table and package libraries, and a safe os).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lupa.lua51 import LuaRuntime

NOT_THERE = ("io", "os", "debug", "string", "math", "require", "dofile", "loadfile")


def health(script: str, body: Mapping[str, Any]) -> tuple[str, str]:
    """Return status and message of a resource."""
    runtime = LuaRuntime(register_eval=False, register_builtins=False)
    for name in NOT_THERE:
        runtime.globals()[name] = None
    runtime.globals()["obj"] = runtime.table_from(dict(body), recursive=True)
    answer = runtime.execute(script)
    return answer["status"], answer["message"]
