"""What `lint` has to say about one field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from .manifests import Manifest, Place


@dataclass(frozen=True, slots=True)
class Finding:
    """An error, which the API server or the operator would refuse, or advice."""

    file: str
    line: int
    about: str
    field: str
    message: str
    error: bool

    @classmethod
    def of(cls, manifest: Manifest, place: Place, message: str, *, error: bool = True) -> Self:
        """Return a finding about a field of an object."""
        field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
        about = f"{manifest.kind} {manifest.name}".strip()
        return cls(manifest.file, manifest.line(place), about, field, message, error)

    def __str__(self) -> str:
        kind = "error" if self.error else "advice"
        return f"{self.file}:{self.line}: {kind}: {self.about}: {self.field}: {self.message}"

    def document(self) -> dict[str, Any]:
        """Return the finding as JSON."""
        return {
            "file": self.file,
            "line": self.line,
            "severity": "error" if self.error else "advice",
            "object": self.about,
            "field": self.field,
            "message": self.message,
        }
