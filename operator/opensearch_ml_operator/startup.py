"""The start: read the settings, set up the logs, run."""

from __future__ import annotations

import gc
import logging
import os
import sys
import traceback
from collections.abc import Iterator

import uvloop
from pydantic import ValidationError

from . import __version__
from .app import run
from .config import Settings
from .errors import OperatorError
from .logs import Redactor, set_up

log = logging.getLogger(__name__)

GARBAGE = 20_000, 10, 10
"""When the garbage collector looks for cycles. By default it does after each 700 new objects, which with
thousands of resources was up to a fifth of the processor time: nearly nothing here is in a cycle."""


def start() -> None:
    """Run the operator; the exit status is 1 when it could not go on, 2 when a setting is wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"{name}: {problem['msg']}\n")
        sys.exit(2)
    redactor = Redactor()
    set_up(redactor, level=settings.log_level, style=settings.log_format)
    log.info("opensearch-ml-operator %s", __version__)
    gc.set_threshold(*GARBAGE)
    try:
        uvloop.run(run(settings, os.environ, redactor))
    except Exception as error:
        log.error("Ended: %s", "; ".join(map(told, causes(error))))  # noqa: TRY400 - told without secrets
        log.debug("Where it ended:", exc_info=error)
        sys.exit(1)


def causes(error: Exception) -> Iterator[Exception]:
    """Yield the errors of an error: one inside the other, task groups have groups of them."""
    if isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from causes(inner)
    else:
        yield error


def told(error: Exception) -> str:
    """Return what may be told of an error: the text of a foreign one may hold anything."""
    if isinstance(error, OperatorError):
        return str(error)
    places = traceback.extract_tb(error.__traceback__)[-3:]
    where = ", ".join(f"{place.filename.rpartition('/')[2]}:{place.lineno}" for place in places)
    return f"{type(error).__name__} at {where or 'no known place'}"
