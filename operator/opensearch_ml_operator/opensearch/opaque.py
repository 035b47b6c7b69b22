"""The X-Opaque-Id header of the requests that a task sends: the server's logs and task list show it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CURRENT: ContextVar[str | None] = ContextVar("opaque_id", default=None)


@contextmanager
def opaque_id(value: str) -> Iterator[None]:
    """Send `value` (printable ASCII) as X-Opaque-Id with each request made inside the block."""
    token = _CURRENT.set(value)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_opaque_id() -> str | None:
    """Return the value of the innermost block, or None outside of all."""
    return _CURRENT.get()
