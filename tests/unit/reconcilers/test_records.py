"""Stored documents that nobody promised to keep whole: specs, statuses, times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from opensearch_ml_operator.constants import Reason
from opensearch_ml_operator.errors import OperatorError
from opensearch_ml_operator.models.common import ManagedStatus
from opensearch_ml_operator.models.connection import OpenSearchConnectionStatus
from opensearch_ml_operator.models.connector import MLConnectorSpec, MLConnectorStatus
from opensearch_ml_operator.models.group import MLModelGroupSpec, MLModelGroupStatus
from opensearch_ml_operator.models.model import RemoteModelSpec, RemoteModelStatus
from opensearch_ml_operator.reconcilers.conditions import Fact
from opensearch_ml_operator.reconcilers.records import digest, moment, parse_spec, parse_status, timestamp

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
STATUSES: list[type[BaseModel]] = [
    OpenSearchConnectionStatus,
    MLConnectorStatus,
    MLModelGroupStatus,
    RemoteModelStatus,
]
NAMES = sorted({name for status in STATUSES for name in status.model_fields})
ALIASES = sorted({str(f.alias) for status in STATUSES for f in status.model_fields.values() if f.alias})


def test_a_spec_that_the_schema_would_have_refused_names_the_fields_and_not_their_values() -> None:
    fact = parse_spec(MLModelGroupSpec, {"connectionRef": {"name": 7}, "description": ["hunter2"]})

    assert isinstance(fact, Fact)
    assert (fact.reason, fact.stalled) == (Reason.INVALID_SPEC, True)
    assert "spec.connectionRef.name" in fact.message
    assert "spec.description" in fact.message
    assert "hunter2" not in fact.message


@given(spec=st.dictionaries(st.sampled_from(sorted(RemoteModelSpec.model_fields)), JSON, max_size=4))
def test_no_spec_is_a_crash(spec: dict[str, Any]) -> None:
    for model in (MLModelGroupSpec, MLConnectorSpec, RemoteModelSpec):
        assert isinstance(parse_spec(model, spec), model | Fact)


@pytest.mark.parametrize("model", STATUSES, ids=lambda model: model.__name__)
@given(status=st.dictionaries(st.sampled_from(NAMES + ALIASES) | st.text(max_size=5), JSON, max_size=6))
def test_no_status_is_a_crash_or_takes_for_ever(model: type[BaseModel], status: dict[str, Any]) -> None:
    before = repr(status)
    try:
        read = parse_status(model, status)
    except OperatorError as error:
        assert "cannot be read" in str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert isinstance(read, model)
    assert repr(status) == before


def test_what_cannot_be_read_is_absent_and_the_rest_is_kept() -> None:
    status = parse_status(
        RemoteModelStatus, {"id": "m1", "workers": "three", "tasks": [{}], "modelVersion": "4", "new": 1}
    )

    assert (status.id, status.workers, status.tasks, status.model_version) == ("m1", None, [], "4")


@pytest.mark.parametrize(
    ("model", "status"),
    [
        pytest.param(ManagedStatus, {"id": "a b"}, id="id"),
        pytest.param(ManagedStatus, {"pending": {"role": "Model"}}, id="pending"),
        pytest.param(ManagedStatus, {"pending": {"role": "Wormhole"}}, id="pending-of-a-newer-release"),
        pytest.param(MLConnectorStatus, {"previous": [{"id": "c1"}]}, id="previous"),
        pytest.param(MLConnectorStatus, {"revision": "7"}, id="revision"),
        pytest.param(RemoteModelStatus, {"ownedGroupID": 5}, id="owned-group"),
        pytest.param(RemoteModelStatus, {"modelGroupID": ""}, id="group"),
        pytest.param(RemoteModelStatus, {"connection": ["main"]}, id="connection"),
    ],
)
def test_what_names_remote_objects_is_never_taken_for_absent(
    model: type[BaseModel], status: dict[str, Any]
) -> None:
    with pytest.raises(OperatorError, match=rf"status\.{next(iter(status))} cannot be read"):
        parse_status(model, status)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05", None),
        ("9999-12-31T23:59:59Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_read_or_none(text: str | None, read: datetime | None) -> None:
    assert moment(text) == read


@given(text=st.text(max_size=30) | st.datetimes(timezones=st.timezones()).map(datetime.isoformat))
def test_whatever_is_read_as_a_time_can_be_reckoned_with(text: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    read = moment(text)

    if read is not None:
        assert (now - read) + (read - now) == timedelta()
        assert read + timedelta(hours=24) > read


@given(when=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - hypothesis adds the zone below
def test_what_is_written_is_read_back(when: datetime) -> None:
    stamp = timestamp(when.replace(tzinfo=UTC))

    assert moment(stamp) == when.replace(microsecond=0, tzinfo=UTC)


@given(value=st.dictionaries(st.text(max_size=5), JSON, min_size=2, max_size=4))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    assert digest(dict(reversed(value.items()))) == digest(value)
    assert digest([value]) != digest(value)
