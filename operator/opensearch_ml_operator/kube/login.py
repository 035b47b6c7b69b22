"""Where the API server is and who we are: the kubeconfig, or the ServiceAccount of the pod."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config
from kubernetes.aio.config.incluster_config import SERVICE_HOST_ENV_NAME, InClusterConfigLoader

from ..errors import OperatorError
from .client import KubeClient, Observer

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


async def connect(
    *, environ: Mapping[str, str], observer: Observer | None = None, service_account: Path = SERVICE_ACCOUNT
) -> KubeClient:
    """Return a client for the file in KUBECONFIG, else for the pod's ServiceAccount, else for ~/.kube/config.

    The order is that of Kubernetes' own controllers. Raises OperatorError when there is no usable one. The
    ServiceAccount's token is read anew for each request: the kubelet replaces the file within the hour.
    """
    return KubeClient(await _configuration(environ, service_account), observer=observer)


async def _configuration(environ: Mapping[str, str], service_account: Path) -> Configuration:
    if path := environ.get("KUBECONFIG"):
        return await _from_kubeconfig(path)
    if environ.get(SERVICE_HOST_ENV_NAME):
        return _from_service_account(environ, service_account)
    return await _from_kubeconfig(f"{environ.get('HOME', '')}/.kube/config")


async def _from_kubeconfig(path: str) -> Configuration:
    configuration = Configuration()
    try:
        await load_kube_config(config_file=path, client_configuration=configuration, persist_config=False)
    except (ConfigException, yaml.YAMLError, OSError, TypeError, ValueError, KeyError) as error:
        # Only the type: the library's texts can quote the user entry of the file, token included.
        raise OperatorError(
            f"the kubeconfig {path} is missing or cannot be used ({type(error).__name__}); "
            "set KUBECONFIG to a file with which `kubectl version` works"
        ) from None
    return configuration


def _from_service_account(environ: Mapping[str, str], folder: Path) -> Configuration:
    configuration = Configuration()
    token = folder / "token"
    loader = InClusterConfigLoader(
        token_filename=str(token),
        cert_filename=str(folder / "ca.crt"),
        try_refresh_token=False,
        environ=environ,
    )
    try:
        loader.load_and_set(configuration)
    except (ConfigException, OSError) as error:
        raise OperatorError(
            f"the ServiceAccount's files in {folder} cannot be used ({type(error).__name__}); "
            "the pod needs automountServiceAccountToken: true"
        ) from None
    configuration.refresh_api_key_hook = partial(_read_token, token)  # type: ignore[assignment] # typed as None
    return configuration


def _read_token(file: Path, configuration: Configuration) -> None:
    configuration.api_key["BearerToken"] = f"Bearer {file.read_text('utf-8').strip()}"
