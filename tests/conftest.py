"""What all tests share: the fixtures of the local stack."""

from __future__ import annotations

pytest_plugins = ["stack.fixtures"]
