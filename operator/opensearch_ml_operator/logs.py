"""Logs: one line a record, JSON or text, with every known secret masked before it leaves the process."""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
from bisect import insort
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO
from urllib.parse import quote

from .reconcilers.ports import SecretData, SecretSource

MASK: Final = "*****"
SHORTEST: Final = 4
"""Shorter values are no secrets, and masking them would make every line unreadable."""
MOST: Final = 10_000
"""Values that are remembered; beyond, the one that was read longest ago is forgotten."""

_LOOKS_SECRET: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i)(?P<keep>\bauthorization\b[\"'\\]*\s*[:=]\s*[\"'\\]*)[^\"'\\\r\n]+",
        r"(?P<keep>\b(?i:bearer|basic)\s+)(?=\S*[A-Z0-9=])[A-Za-z0-9+/=._~-]{8,}",
        r"(?P<keep>://[^/\s:@]*:)[^/\s@]+(?=@)",
        r"(?s)(?P<keep>-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END|\Z)",
    )
)
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_KOPF: Final = frozenset({"k8s_ref", "k8s_skip", "settings"})
_PUBLIC_KEYS: Final = frozenset({"username", "ca.crt", "tls.crt"})
"""Keys of Kubernetes' own kinds of Secrets that hold nothing secret. With `admin` masked as a user's name, a
refusal would read «no permissions for [cluster:*****/...]»."""
_CHATTY: Final = ("kopf", "httpx", "httpcore", "aiohttp", "asyncio", "kubernetes", "urllib3")


class Redactor:
    """Knows every secret value that the process has read, and takes them out of texts.

    The time for a text grows with its length, not with the number of secrets: their forms are found by their
    first characters.
    """

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._forms: OrderedDict[bytes, frozenset[str]] = OrderedDict()
        self._by_start: dict[str, list[str]] = {}

    def watch(self, source: SecretSource) -> SecretSource:
        """Return the source, with everything that is read from it masked from then on."""
        return _Watched(source, self)

    def learn(self, value: bytes) -> None:
        """Mask this value from now on: as it is, as JSON, Python or a URL writes it, and inside base64."""
        if value in self._forms:
            self._forms.move_to_end(value)
            return
        forms = frozenset(form for form in _forms(value) if len(form) >= SHORTEST)
        if not forms:
            return
        self._forms[value] = forms
        for form in forms:
            known = self._by_start.setdefault(form[:SHORTEST], [])
            insort(
                known, form, key=lambda one: -len(one)
            )  # the longer of two that begin alike is masked whole
        while len(self._forms) > self._most:
            self._forget(*self._forms.popitem(last=False))

    def mask(self, text: str) -> str:
        """Return the text without any known secret, and without what looks like a login or a private key."""
        text = self._mask_known(text)
        for pattern in _LOOKS_SECRET:
            text = pattern.sub(rf"\g<keep>{MASK}", text)
        return text

    def _mask_known(self, text: str) -> str:
        pieces, kept, position = [], 0, 0
        while position <= len(text) - SHORTEST:
            found = self._at(text, position)
            if found:
                pieces += [text[kept:position], MASK]
                position += found
                kept = position
            else:
                position += 1
        return "".join([*pieces, text[kept:]]) if pieces else text

    def _at(self, text: str, position: int) -> int:
        """Return the length of the longest secret that begins here, 0 for none."""
        for form in self._by_start.get(text[position : position + SHORTEST], ()):
            if text.startswith(form, position):
                return len(form)
        return 0

    def _forget(self, _: bytes, forms: frozenset[str]) -> None:
        for form in forms:
            known = self._by_start[form[:SHORTEST]]
            known.remove(form)
            if not known:
                del self._by_start[form[:SHORTEST]]


@dataclass(frozen=True, slots=True)
class _Watched:
    source: SecretSource
    redactor: Redactor

    async def secret(self, namespace: str, name: str) -> SecretData | None:
        data = await self.source.secret(namespace, name)
        for key, value in data.data.items() if data is not None else ():
            if key not in _PUBLIC_KEYS:
                self.redactor.learn(value)
        return data

    async def revision(self, namespace: str, name: str, *, max_age: float) -> str | None:
        return await self.source.revision(namespace, name, max_age=max_age)

    async def config_map(self, namespace: str, name: str) -> SecretData | None:
        return await self.source.config_map(namespace, name)  # nothing secret, and CA certificates are long


class LineFormatter(logging.Formatter):
    """Formats a record, traceback included, on one line, and masks all of it."""

    def __init__(self, redactor: Redactor, style: Literal["json", "text"]) -> None:
        super().__init__()
        self._redactor = redactor
        self._json = style == "json"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = self._redactor.mask(self._whole_message(record))
        extra = {name: self._redactor.mask(value) for name, value in _extra(record)}
        if self._json:
            level = record.levelname.lower()
            fields = {"time": time, "level": level, "logger": record.name, "message": message, **extra}
            return json.dumps(fields, ensure_ascii=False)
        words = " ".join([message, *(f"{name}={value}" for name, value in extra.items())])
        return f"{time} {record.levelname:7} {record.name}: {words}".replace("\r", "\\r").replace("\n", "\\n")

    def _whole_message(self, record: logging.LogRecord) -> str:
        parts = [record.getMessage()]
        if record.exc_info and record.exc_info[0] is not None:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(record.stack_info)
        return "\n".join(parts)


def _is_news(record: logging.LogRecord) -> bool:
    """Tell all else from kopf's line about every event that it has handled."""
    return not (
        record.name.startswith("kopf")
        and record.levelno <= logging.INFO
        and str(record.msg).startswith("Handler ")
        and str(record.msg).endswith(" succeeded.")
    )


def set_up(
    redactor: Redactor, *, level: str, style: Literal["json", "text"], stream: TextIO = sys.stderr
) -> None:
    """Send all logs of the process to the stream, masked; of libraries only warnings, at debug also news.

    Never their details: kopf's show whole objects, those of the HTTP clients whole requests.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(redactor, style))
    handler.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    theirs = logging.INFO if level == "debug" else logging.WARNING
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(theirs, root.level))


def _extra(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    """Yield what was passed as `extra`, and the object that kopf speaks of."""
    values: Mapping[str, Any] = vars(record)
    reference = values.get("k8s_ref")
    if isinstance(reference, Mapping) and "key" not in values:
        namespace = f"{reference['namespace']}/" if reference.get("namespace") else ""
        yield "key", f"{reference.get('kind')} {namespace}{reference.get('name')}"
    for name, value in values.items():
        if name not in _STANDARD and name not in _KOPF:
            yield name, str(value)


def _forms(value: bytes) -> Iterable[str]:
    """Yield how the value, or a line of it, may be written, without white space at its ends."""
    text = value.decode(errors="replace").strip()
    for part in {text, *(line.strip() for line in text.splitlines())}:
        if len(part) < SHORTEST:
            continue
        yield part
        yield json.dumps(part)[1:-1]
        yield json.dumps(part, ensure_ascii=False)[1:-1]
        yield repr(part)[1:-1]
        yield repr(part.encode())[2:-1]
        yield quote(part, safe="")
        yield from (part.encode().hex(), part.encode().hex().upper())
        yield from _in_base64(part.encode())


def _in_base64(value: bytes) -> Iterable[str]:
    """Yield the characters that stand for the value inside a longer text in base64.

    Three bytes are four characters, so the value may begin at three places of such a group; the characters
    at both ends also depend on the neighbours and are left out.
    """
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value).rstrip(b"=").decode()
        first = -(-before * 8 // 6)
        last = (before + len(value)) * 8 // 6
        inner = encoded[first:last]
        yield inner
        yield inner.translate({ord("+"): "-", ord("/"): "_"})
