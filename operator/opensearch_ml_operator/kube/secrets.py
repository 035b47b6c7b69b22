"""Secrets and ConfigMaps by name. Only ever GET: to list or to watch means to read every Secret there is."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from weakref import WeakValueDictionary

from ..coalescing import Coalescer
from ..reconcilers.ports import SecretData
from .client import KubeClient
from .targets import CONFIG_MAPS, SECRETS, Target

_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class KubeSecretSource:
    """Implements `SecretSource`: reads live, and keeps revisions alone. `clock` is monotonic, in seconds.

    Thousands of connectors may have one Secret. Who asks for it while it is being read gets the next reading,
    together with all who do: it is still younger than the question.
    """

    def __init__(self, client: KubeClient, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._revisions: dict[tuple[str, str], tuple[float, str | None]] = {}
        self._readings: WeakValueDictionary[tuple[str, str], Coalescer[None, SecretData | None]] = (
            WeakValueDictionary()
        )
        """Kept by those who wait for them alone."""

    async def secret(self, namespace: str, name: str) -> SecretData | None:
        """Read a Secret; None when it does not exist.

        Raises KubernetesUnavailableError, KubernetesForbiddenError.
        """

        async def read(_: Sequence[None]) -> SecretData | None:
            body = await self._client.read(Target(SECRETS, namespace, name))
            return None if body is None else SecretData(_revision(body), _decoded(body.get("data")))

        reading = self._readings.get((namespace, name))
        if reading is None:
            reading = self._readings[namespace, name] = Coalescer(read)
        return await reading.ask(None)

    async def revision(self, namespace: str, name: str, *, max_age: float) -> str | None:
        """Return the revision that a Secret had at most `max_age` seconds ago; None without the Secret.

        Asks for its metadata alone. Raises KubernetesUnavailableError, KubernetesForbiddenError.
        """
        asked = self._clock()
        read_at, revision = self._revisions.get((namespace, name), (float("-inf"), None))
        if read_at < asked - max_age:
            body = await self._client.read(Target(SECRETS, namespace, name), accept=_METADATA)
            revision = None if body is None else _revision(body)
            if revision is None:
                self._revisions.pop((namespace, name), None)
            else:
                self._revisions[namespace, name] = asked, revision
        return revision

    async def config_map(self, namespace: str, name: str) -> SecretData | None:
        """Read a ConfigMap, `data` and `binaryData` together; None when it does not exist.

        Raises KubernetesUnavailableError, KubernetesForbiddenError.
        """
        body = await self._client.read(Target(CONFIG_MAPS, namespace, name))
        if body is None:
            return None
        texts = {key: text.encode() for key, text in (body.get("data") or {}).items()}
        return SecretData(_revision(body), texts | _decoded(body.get("binaryData")))


def _revision(body: Mapping[str, Any]) -> str:
    metadata = body["metadata"]
    return f"{metadata['uid']}/{metadata['resourceVersion']}"


def _decoded(data: Mapping[str, str] | None) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (data or {}).items()}
