from __future__ import annotations

import pytest

from opensearch_ml_operator.models.kinds import KINDS, Column, KindInfo, by_kind

# kubectl pads every column but the last with three spaces. These are the widest ordinary values: a Ready
# object with a name of 40 characters, a connection of 20, an id as OpenSearch makes them.
NAME_WIDTH = 40
GAP = 3
WIDTHS = {"READY": 5, "STATUS": 9, "CONNECTION": 20, "STATE": 8, "NODES": 5, "ID": 20, "VERSION": 7, "AGE": 4}


def width(column: Column) -> int:
    return GAP + max(len(column.name), WIDTHS[column.name])


@pytest.mark.parametrize("info", KINDS, ids=lambda info: info.kind)
def test_a_row_fits_a_terminal(info: KindInfo) -> None:
    assert NAME_WIDTH + sum(width(column) for column in info.columns if not column.wide) < 120


@pytest.mark.parametrize("info", KINDS, ids=lambda info: info.kind)
def test_ready_and_its_reason_come_first(info: KindInfo) -> None:
    assert [column.name for column in info.columns[:2]] == ["READY", "STATUS"]


def test_kinds_are_found_by_name() -> None:
    assert [by_kind(info.kind) for info in KINDS] == list(KINDS)
    with pytest.raises(KeyError):
        by_kind("Pod")


def test_no_two_kinds_share_a_name() -> None:
    # A kind that is a plural already has one name for both, as Endpoints has.
    names = [name for info in KINDS for name in {info.plural, info.singular, info.short_name}]

    assert len(set(names)) == len(names)
