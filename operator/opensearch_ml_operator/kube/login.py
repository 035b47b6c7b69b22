"""Where the API server is and who we are: the kubeconfig, or the ServiceAccount of the pod."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, list_kube_config_contexts, load_kube_config
from kubernetes.aio.config.incluster_config import SERVICE_HOST_ENV_NAME, InClusterConfigLoader

from ..errors import OperatorError
from .client import KubeClient, Observer

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


async def connect(
    *,
    environ: Mapping[str, str],
    observer: Observer | None = None,
    service_account: Path = SERVICE_ACCOUNT,
    context: str | None = None,
) -> KubeClient:
    """Return a client for the file in KUBECONFIG, else for the pod's ServiceAccount, else for ~/.kube/config.

    The order is that of Kubernetes' own controllers; a context, which only a kubeconfig has, goes before the
    ServiceAccount. Raises OperatorError when there is no usable one. The ServiceAccount's token is read anew
    for each request: the kubelet replaces the file within the hour.
    """
    path = _kubeconfig(environ, context)
    if path is None:
        configuration = _from_service_account(environ, service_account)
    else:
        configuration = await _from_kubeconfig(path, context)
    return KubeClient(configuration, observer=observer)


def default_namespace(
    *, environ: Mapping[str, str], service_account: Path = SERVICE_ACCOUNT, context: str | None = None
) -> str:
    """Return the namespace that a person means who names none: the context's, the pod's, else `default`.

    Raises OperatorError as `connect` does.
    """
    path = _kubeconfig(environ, context)
    if path is None:
        file = service_account / "namespace"
        return file.read_text("utf-8").strip() if file.exists() else "default"
    try:
        contexts, active = list_kube_config_contexts(path)
        chosen = active if context is None else next(each for each in contexts if each["name"] == context)
        return str(chosen["context"].get("namespace") or "default")
    except StopIteration:
        raise OperatorError(f"the kubeconfig {path} has no context {context!r}") from None
    except _UNUSABLE as error:
        raise _unusable(path, error) from None


def _kubeconfig(environ: Mapping[str, str], context: str | None) -> str | None:
    """Return the kubeconfig to use, in KUBECONFIG maybe several; None for the pod's ServiceAccount."""
    if path := environ.get("KUBECONFIG"):
        return path
    if environ.get(SERVICE_HOST_ENV_NAME) and context is None:
        return None
    return f"{environ.get('HOME', '')}/.kube/config"


_UNUSABLE: Final = (ConfigException, yaml.YAMLError, OSError, TypeError, ValueError, KeyError)


def _unusable(path: str, error: Exception) -> OperatorError:
    # Only the type: the library's texts can quote the user entry of the file, token included.
    return OperatorError(
        f"the kubeconfig {path} is missing or cannot be used ({type(error).__name__}); "
        "set KUBECONFIG to a file with which `kubectl version` works"
    )


async def _from_kubeconfig(path: str, context: str | None) -> Configuration:
    configuration = Configuration()
    try:
        await load_kube_config(
            config_file=path, context=context, client_configuration=configuration, persist_config=False
        )
    except _UNUSABLE as error:
        raise _unusable(path, error) from None
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
