"""Logs: one line a record, JSON or text, with every known secret masked before it leaves the process."""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from .reconcilers.ports import SecretData, SecretSource

_MASK: Final = "*****"
_SHORTEST: Final = 4
"""Shorter values are no secrets, and masking them would make every line unreadable."""
_AUTHORIZATION: Final = re.compile(r"(?i)\b(bearer|basic|authorization:?)\s+(?!\*)[\w.~+/=:-]{6,}")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Redactor:
    """Knows every secret value that the process has read, and takes them out of texts."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def watch(self, source: SecretSource) -> SecretSource:
        """Return the source, with everything that is read from it masked from then on."""
        return _Watched(source, self)

    def learn(self, value: bytes) -> None:
        """Mask this value: as it is, in base64, and as JSON writes it."""
        text = value.decode(errors="replace").strip()
        if len(text) < _SHORTEST:
            return
        forms = {text, json.dumps(text)[1:-1], base64.b64encode(value).decode().rstrip("=")}
        self._secrets.update(forms | {line for line in text.splitlines() if len(line) >= _SHORTEST})

    def mask(self, text: str) -> str:
        """Return the text without any known secret, and without what looks like a login."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, _MASK)
        return _AUTHORIZATION.sub(rf"\1 {_MASK}", text)


@dataclass(frozen=True, slots=True)
class _Watched:
    source: SecretSource
    redactor: Redactor

    async def secret(self, namespace: str, name: str) -> SecretData | None:
        data = await self.source.secret(namespace, name)
        for value in data.data.values() if data is not None else ():
            self.redactor.learn(value)
        return data

    async def config_map(self, namespace: str, name: str) -> SecretData | None:
        return await self.source.config_map(namespace, name)  # nothing secret, and CA certificates are long


class LineFormatter(logging.Formatter):
    """Formats a record, traceback included, on one line, and masks the result."""

    def __init__(self, redactor: Redactor, style: Literal["json", "text"]) -> None:
        super().__init__()
        self._redactor = redactor
        self._json = style == "json"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}\n{self.formatException(record.exc_info)}"
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        extra = {key: str(value) for key, value in vars(record).items() if key not in _STANDARD}
        extra = {key: value for key, value in extra.items() if not key.startswith(("k8s_", "settings"))}
        if self._json:
            fields: dict[str, Any] = {
                "time": time,
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": message,
                **extra,
            }
            return self._redactor.mask(json.dumps(fields, ensure_ascii=False))
        words = " ".join(f"{key}={value}" for key, value in extra.items())
        line = f"{time} {record.levelname:7} {record.name}: {message} {words}".rstrip()
        return self._redactor.mask(line.replace("\n", "\\n"))


class _Noise(logging.Filter):
    """Drops kopf's line about every event that it has handled."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.levelno <= logging.INFO and "succeeded" in record.msg and "Handler" in record.msg)


def set_up(
    redactor: Redactor, *, level: str, style: Literal["json", "text"], stream: TextIO = sys.stderr
) -> None:
    """Send all logs of the process to the stream, masked. kopf's and the clients' details only at debug."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(redactor, style))
    handler.addFilter(_Noise())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    quiet = logging.DEBUG if level == "debug" else logging.WARNING
    for name in ("kopf", "httpx", "httpcore", "aiohttp.access", "asyncio"):
        logging.getLogger(name).setLevel(max(quiet, logging.INFO) if name != "kopf" else quiet)
