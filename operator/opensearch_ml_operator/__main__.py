"""`python -m opensearch_ml_operator`: read the settings, set up the logs, run."""

from __future__ import annotations

import logging
import os
import sys

import uvloop
from pydantic import ValidationError

from . import __version__
from .app import run
from .config import Settings
from .errors import OperatorError
from .logs import Redactor, set_up

log = logging.getLogger(__name__)


def main() -> None:
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
    try:
        uvloop.run(run(settings, os.environ, redactor))
    except* OperatorError as group:
        log.error("%s", "; ".join(str(error) for error in group.exceptions))  # noqa: TRY400 - texts of our own
        sys.exit(1)
    except* Exception as group:
        # A foreign exception's text may hold anything: its type goes to the log, the rest only for debugging.
        log.error("Ended by %s.", ", ".join(type(error).__name__ for error in group.exceptions))  # noqa: TRY400
        log.debug("Where it ended:", exc_info=group)
        sys.exit(1)


if __name__ == "__main__":
    main()
