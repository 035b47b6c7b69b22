from __future__ import annotations

import json
from pathlib import Path

import kopf
import pytest

from opensearch_ml_operator.kopf_settings import Login, build_settings

SERVER = "https://10.0.0.1:443"


async def test_the_session_goes_where_the_other_client_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://kubernetes.default.svc"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    login = Login(server=SERVER, prefer_kubeconfig=True, watches=1)
    session = await login(settings=build_settings())
    assert isinstance(session, kopf.AiohttpSession)
    assert session.server == SERVER
    assert session.aiohttp_session.headers["Authorization"] == "Bearer t"
    await session.aiohttp_session.close()
