"""Secrets and ConfigMaps by name. Only ever GET: to list or to watch means to read every Secret there is."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ..reconcilers.ports import SecretData
from .client import KubeClient
from .targets import CONFIG_MAPS, SECRETS, Target


class KubeSecretSource:
    """Implements `SecretSource`: reads live, keeps nothing."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def secret(self, namespace: str, name: str) -> SecretData | None:
        """Read a Secret; None when it does not exist.

        Raises KubernetesUnavailableError, KubernetesForbiddenError.
        """
        body = await self._client.read(Target(SECRETS, namespace, name))
        return None if body is None else SecretData(_revision(body), _decoded(body.get("data")))

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
