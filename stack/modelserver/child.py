"""Start the model server as a child of the stack."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from stack.modelserver.client import ModelServer
from stack.ports import Ports
from stack.process import Processes
from stack.server import Server

READY_SECONDS = 30.0
REPOSITORY = Path(__file__).parents[2]


def start_model_server(
    folder: Path, processes: Processes, ports: Ports, environ: Mapping[str, str]
) -> ModelServer:
    """Start the model server and wait until it answers. Raises ServerError when it does not."""
    folder.mkdir(parents=True, exist_ok=True)
    port = ports.take()
    command = [sys.executable, "-m", "stack.modelserver", f"--port={port}"]
    log_file = folder / "model-server.log"
    model_server: ModelServer

    def is_ready() -> bool:
        return model_server.is_ready()

    server = Server(
        processes,
        "model server",
        command,
        log_file,
        env=environ,
        ready=is_ready,
        ready_seconds=READY_SECONDS,
        cwd=REPOSITORY,
    )
    model_server = ModelServer(f"http://127.0.0.1:{port}", server)
    server.start()
    return model_server
