from __future__ import annotations

from typing import Any, cast

import pytest

from opensearch_ml_operator.cli.checks.check import Administrator
from opensearch_ml_operator.cli.checks.opensearch import look
from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.opensearch.mlcommons import MLCommonsClient
from opensearch_ml_operator.opensearch.transport import Transport
from opensearch_ml_operator.reconcilers.ports import AccountToken, ClientCertificate, ConnectionSettings

SECRET = "value-that-nobody-may-see"


class Unknown:
    """A cluster that does not know who we are."""

    async def server_info(self) -> None:
        raise MLError(MLCode.UNAUTHENTICATED, "401 Unauthorized")


@pytest.mark.parametrize(
    ("identity", "advice"),
    [
        ({}, "the connection has no identity"),
        ({"username": "ml", "password": SECRET}, "--from-literal=username=ml --from-literal=password="),
        ({"bearer": SECRET}, "--from-literal=token=TOKEN"),
        ({"account_token": AccountToken("search", 600)}, "audience search"),
        ({"certificate": ClientCertificate(b"", SECRET.encode())}, r"{.data.tls\.crt}"),
    ],
)
async def test_whoever_is_not_known_is_told_where_to_look(identity: dict[str, Any], advice: str) -> None:
    settings = ConnectionSettings(endpoints=("https://search:9200",), **identity)
    checks, standing = await look(
        cast("Transport", None),
        cast("MLCommonsClient", Unknown()),
        settings,
        cast("Administrator", None),
        optional=(),
    )
    assert standing is None
    assert checks[-1].name == "identity"
    (fix,) = checks[-1].fixes
    assert advice in fix.command
    assert SECRET not in fix.command
