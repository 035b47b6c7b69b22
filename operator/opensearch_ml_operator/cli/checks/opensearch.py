"""One OpenSearch cluster, seen through the operator's own client: TLS, identity, version, plugin, rights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ...errors import MLCode, MLError
from ...opensearch import rights
from ...opensearch.mlcommons import MLCommonsClient
from ...opensearch.rights import Grant, Question
from ...opensearch.transport import Transport
from ...reconcilers.connection.reconciler import supported
from ...reconcilers.ports import ClusterSettings, ConnectionSettings, ServerInfo
from .check import Administrator, Check, Fix, failed, ok, skipped, warning

_TOPICS: Final = {
    MLCode.NOT_SENT: "TCP",
    MLCode.TLS_FAILED: "TLS",
    MLCode.UNAUTHENTICATED: "identity",
    MLCode.FORBIDDEN: "rights",
    MLCode.PLUGIN_MISSING: "plugin",
}
_STORE: Final = (
    "kubectl create secret generic NAME --from-literal={} --dry-run=client -o yaml | kubectl apply -f -"
)


async def look(
    transport: Transport,
    client: MLCommonsClient,
    settings: ConnectionSettings,
    administrator: Administrator,
    *,
    optional: Sequence[Question],
) -> tuple[list[Check], ClusterSettings | None]:
    """Go through the layers; also return the cluster's settings when they could be read."""
    try:
        info: ServerInfo | MLError = await client.server_info()
    except MLError as error:
        if error.code is not MLCode.FORBIDDEN:
            return _refused(error, settings), None
        info = error
    checks = _passed(settings)
    if isinstance(info, ServerInfo):
        checks += _server(info)
    try:
        granted = await rights.ask_all(transport, (*rights.QUESTIONS, *optional))
        checks += _rights(granted, optional, administrator, settings)
        standing = await client.read_settings()
    except MLError:
        return checks, None
    return checks, standing


def _refused(error: MLError, settings: ConnectionSettings) -> list[Check]:
    """Return what the client was told, under the topic that it is about."""
    topic = _TOPICS.get(error.code, "OpenSearch")
    passed = []
    if error.code in {MLCode.UNAUTHENTICATED, MLCode.PLUGIN_MISSING}:
        passed = _passed(settings)[: 1 if error.code is MLCode.UNAUTHENTICATED else None]
    return [*passed, failed(topic, error.message, *_advice(error.code, settings))]


def _login(settings: ConnectionSettings) -> Fix:
    """Return where to look when OpenSearch does not know who we are."""
    if settings.signing is not None:
        return Fix("aws sts get-caller-identity  # with the same keys: who are they, if anybody")
    if settings.certificate is not None:
        return Fix(
            "kubectl get secret NAME -o jsonpath='{.data.tls\\.crt}' | base64 -d | openssl x509 -noout "
            "-subject -issuer -dates  # who it is for, and whether OpenSearch knows the one who signed it"
        )
    if settings.account_token is not None:
        return Fix(
            "kubectl explain osconn.spec.auth.bearer.serviceAccountToken  # OpenSearch must expect the "
            f"audience {settings.account_token.audience} and know the issuer of this cluster"
        )
    if settings.bearer is not None:
        return Fix(_STORE.format("token=TOKEN"))
    if settings.username is not None:
        return Fix(_STORE.format(f"username={settings.username} --from-literal=password=PASSWORD"))
    return Fix("kubectl explain osconn.spec.auth  # the connection has no identity")


def _advice(code: MLCode, settings: ConnectionSettings) -> tuple[Fix, ...]:
    endpoint = settings.endpoints[0]
    place = endpoint.partition("://")[2].partition("/")[0]
    match code:
        case MLCode.TLS_FAILED:
            return (
                Fix(
                    f"openssl s_client -connect {place} -showcerts </dev/null"
                    "  # who signed it, and for which names"
                ),
                Fix(
                    "kubectl create configmap opensearch-ca --from-file=ca.crt  # then spec.tls.caRef: "
                    "{kind: ConfigMap, name: opensearch-ca}; another name: spec.tls.serverName"
                ),
            )
        case MLCode.UNAUTHENTICATED:
            return (_login(settings),)
        case MLCode.PLUGIN_MISSING:
            return (Fix("bin/opensearch-plugin install opensearch-ml  # on every node, then restart it"),)
        case _:
            return ()


def _passed(settings: ConnectionSettings) -> list[Check]:
    secure = settings.endpoints[0].startswith("https:")
    tls = (
        ok("TLS", "the certificate is trusted" + (" through the connection's CA" if settings.ca else ""))
        if secure
        else warning("TLS", "plain http: credentials of connectors travel in the open")
    )
    return [tls, ok("identity", _identity(settings))]


def _identity(settings: ConnectionSettings) -> str:
    if settings.username is not None:
        return f"accepted as {settings.username}"
    if settings.bearer is not None:
        return "accepted with a token"
    return "accepted with a client certificate" if settings.certificate is not None else "anonymous"


def _server(info: ServerInfo) -> list[Check]:
    words = f"{info.distribution} {info.version}, cluster {info.cluster_name}"
    fits = supported(info.version)
    version = ok("version", words) if fits else failed("version", f"{words}: 2.11 is the oldest supported")
    return [version, ok("plugin", f"ML Commons answers; {', '.join(info.capabilities) or 'no extras'}")]


def _rights(
    granted: dict[str, Grant],
    optional: Sequence[Question],
    administrator: Administrator,
    settings: ConnectionSettings,
) -> list[Check]:
    role = [each.permission for each in rights.QUESTIONS]
    missing = [each for each in role if granted[each] is Grant.MISSING]
    unknown = [each for each in role if granted[each] is Grant.UNKNOWN]
    checks = []
    if missing:
        words = f"{len(missing)} of {len(role)} permissions are missing: {', '.join(missing)}"
        checks.append(failed("rights", words, *_grant(administrator, settings, "", role)))
    else:
        checks.append(ok("rights", f"{len(role) - len(unknown)} of {len(role)} permissions of the role seen"))
    if unknown:
        words = f"only a model shows whether these are there: {', '.join(unknown)}"
        checks.append(skipped("rights", words))
    for question in optional:
        if granted[question.permission] is Grant.MISSING:
            name, purpose = _PURPOSES[question]
            words = f"{question.permission} is missing, which {purpose} needs"
            fixes = _grant(administrator, settings, name, [question.permission])
            checks.append(failed("rights", words, *fixes))
    return checks


_PURPOSES: Final = {
    rights.PREDICT: ("-probes", "spec.probe of a RemoteModel"),
    rights.SETTINGS: ("-settings", "an MLClusterSettings"),
}


def _grant(
    administrator: Administrator, settings: ConnectionSettings, suffix: str, permissions: Iterable[str]
) -> tuple[Fix, Fix]:
    """Return a role of the user's own: what other roles and mappings hold stays as it is."""
    security, role = "/_plugins/_security/api", f"opensearch-ml-{settings.username or 'operator'}{suffix}"
    return (
        administrator.sends("PUT", f"{security}/roles/{role}", {"cluster_permissions": list(permissions)}),
        administrator.sends(
            "PUT", f"{security}/rolesmapping/{role}", {"users": [settings.username or "USER"]}
        ),
    )
