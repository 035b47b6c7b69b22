"""Run the model server on 127.0.0.1."""

from __future__ import annotations

import argparse

from aiohttp import web

from stack.modelserver.app import make_app
from stack.modelserver.models import load_embedder


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m stack.modelserver", description="A model provider on loopback."
    )
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    web.run_app(make_app(load_embedder()), host="127.0.0.1", port=arguments.port, print=None)


if __name__ == "__main__":
    main()
