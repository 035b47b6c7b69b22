"""The exit codes, the same for all commands; docs/cli.md promises them to scripts."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the exit code of a command says."""

    OK = 0
    PROBLEMS = 1  # done, and something is wrong, different or not ready
    USAGE = 2  # the command line, or a file it names, makes no sense
    UNREACHABLE = 3  # the API server or OpenSearch did not answer
    FORBIDDEN = 4  # a right is missing without which nothing can be said
    TIMEOUT = 5  # what was waited for did not happen in time
    INTERRUPTED = 130


class CommandError(Exception):
    """Ends a command with a message and an exit code."""

    def __init__(self, message: str, exit_: Exit) -> None:
        super().__init__(message)
        self.exit = exit_


def usage(message: str) -> CommandError:
    """Return the error for a command line that makes no sense."""
    return CommandError(message, Exit.USAGE)
