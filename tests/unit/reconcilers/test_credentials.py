"""Secrets read key by key, and a change mark that gives nothing of them away."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from opensearch_ml_operator.constants import ConditionType, Reason
from opensearch_ml_operator.reconcilers.conditions import Fact
from opensearch_ml_operator.reconcilers.credentials import Credentials
from opensearch_ml_operator.reconcilers.ports import SecretData
from support.memory_ports import MemorySecrets


async def read(
    data: Mapping[str, bytes] | None,
    keys: Mapping[str, str] | None,
    *,
    name: str = "keys",
    revision: str = "uid/1",
) -> tuple[Credentials, Fact | None]:
    source = MemorySecrets()
    if data is not None:
        source.secrets["team", name] = SecretData(revision, data)
    credentials = Credentials()
    type_ = ConditionType.CREDENTIALS_RESOLVED
    fact = await credentials.add(source, namespace="team", secret=name, keys=keys, type_=type_)
    return credentials, fact


async def test_keys_get_our_names() -> None:
    credentials, fact = await read({"a": b"1", "b": b"2"}, {"key": "b"})

    assert (fact, credentials.values) == (None, {"key": "2"})


async def test_all_keys_keep_theirs() -> None:
    credentials, fact = await read({"a": b"1", "b": b"2"}, None)

    assert (fact, credentials.values) == (None, {"a": "1", "b": "2"})


@pytest.mark.parametrize(
    ("data", "keys", "reason", "named"),
    [
        pytest.param(None, {"key": "a"}, Reason.SECRET_NOT_FOUND, "keys", id="no-secret"),
        pytest.param({"b": b"hidden"}, {"key": "a"}, Reason.SECRET_KEY_MISSING, "key a", id="no-key"),
        pytest.param({"a": b""}, {"key": "a"}, Reason.SECRET_KEY_MISSING, "key a", id="empty-value"),
        pytest.param({}, None, Reason.SECRET_KEY_MISSING, "empty", id="empty-secret"),
        pytest.param({"a": b"hidden\xff"}, None, Reason.SECRET_KEY_MISSING, "UTF-8", id="not-text"),
    ],
)
async def test_what_is_missing_is_named_and_nothing_else(
    data: Mapping[str, bytes] | None, keys: Mapping[str, str] | None, reason: Reason, named: str
) -> None:
    _, fact = await read(data, keys)

    assert fact is not None
    assert fact.reason is reason
    assert named in fact.message
    assert "hidden" not in fact.message


async def test_the_revision_changes_with_name_key_secret_and_bytes_and_with_nothing_else() -> None:
    data = {"a": b"1", "b": b"2"}
    reads = [
        await read(data, {"key": "a"}),
        await read(data, {"token": "a"}),
        await read(data, {"key": "b"}),
        await read(data, {"key": "a"}, name="other"),
        await read(data, {"key": "a"}, revision="uid/2"),
        await read(data, None),
    ]
    again, _ = await read(dict(reversed(data.items())), None)

    assert len({credentials.revision for credentials, _ in reads}) == len(reads)
    assert again.revision == reads[-1][0].revision


def test_a_constant_counts_with_its_value() -> None:
    revisions = set()
    for value in ("arn:1", "arn:2"):
        credentials = Credentials()
        credentials.constant("role", value)
        revisions.add(credentials.revision)
        assert credentials.values == {"role": value}

    assert len(revisions) == 2
