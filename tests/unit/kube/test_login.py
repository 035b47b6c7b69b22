from __future__ import annotations

import json
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from opensearch_ml_operator.errors import (
    KubernetesForbiddenError,
    KubernetesUnavailableError,
    OperatorError,
)
from opensearch_ml_operator.kube.client import KubeClient
from opensearch_ml_operator.kube.login import connect
from opensearch_ml_operator.kube.targets import SECRETS, Target
from stack.certificates import Authority
from support.fake_kube import FakeKube

SECRET = Target(SECRETS, "default", "key")
CANARY = "hunter2-canary"


async def test_kubeconfig_goes_first(kube: FakeKube, tmp_path: Path) -> None:
    path = kube.kubeconfig(tmp_path / "config", token="mine")
    kube.accept_tokens({"mine"})
    environ = {"KUBECONFIG": str(path), "KUBERNETES_SERVICE_HOST": "nowhere", "KUBERNETES_SERVICE_PORT": "1"}
    async with await connect(environ=environ) as client:
        assert await client.read(SECRET) is None


async def test_home_goes_last(kube: FakeKube, tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    kube.kubeconfig(tmp_path / ".kube" / "config")
    async with await connect(environ={"HOME": str(tmp_path)}) as client:
        assert await client.read(SECRET) is None


async def test_unknown_credentials_are_told(kube: FakeKube, client: KubeClient) -> None:
    kube.accept_tokens({"other"})
    with pytest.raises(KubernetesForbiddenError, match="401 Unauthorized; our credentials are not accepted"):
        await client.read(SECRET)


async def test_token_of_the_pod_is_read_anew(tmp_path: Path) -> None:
    certificate, key = Authority.create(tmp_path).issue("kube-apiserver")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    token = tmp_path / "token"
    token.write_text("first\n", "utf-8")
    async with FakeKube(tls=tls) as kube:
        kube.accept_tokens({"first"})
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1"}
        environ["KUBERNETES_SERVICE_PORT"] = str(urlsplit(kube.url).port)
        async with await connect(environ=environ, service_account=tmp_path) as client:
            assert await client.read(SECRET) is None
            kube.accept_tokens({"second"})
            token.write_text("second\n", "utf-8")
            assert await client.read(SECRET) is None
            token.unlink()
            with pytest.raises(KubernetesUnavailableError):
                await client.read(SECRET)


@pytest.mark.parametrize(
    "content",
    [
        CANARY,
        f"users: [{{token: {CANARY}, name: }}",
        json.dumps({"current-context": "c", "contexts": [], "users": [{"token": CANARY}], "clusters": []}),
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
                "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1"}}],
                "users": [{"name": "u", "user": {"token": CANARY}}, {"user": {"token": CANARY}}],
            }
        ),
    ],
)
async def test_unusable_kubeconfig_is_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content, "utf-8")
    with pytest.raises(
        OperatorError, match=r"the kubeconfig .*/config is missing or cannot be used"
    ) as caught:
        await connect(environ={"KUBECONFIG": str(path)})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("environ", [{}, {"HOME": "/nowhere"}, {"KUBECONFIG": "/nowhere"}])
async def test_no_kubeconfig_at_all(environ: dict[str, str]) -> None:
    with pytest.raises(OperatorError, match="set KUBECONFIG"):
        await connect(environ=environ)


async def test_pod_without_a_token(tmp_path: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    with pytest.raises(OperatorError, match="automountServiceAccountToken"):
        await connect(environ=environ, service_account=tmp_path)
