"""What runs have shown becomes the tables of the page, and nothing else of the page changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.faults import figures, oracles
from support.faults.bench import Result
from support.faults.figures import Row
from support.faults.history import Entry, History
from support.faults.plan import Fault, Plan, Variant
from support.faults.wire import Request, Response

STATUS = "/apis/opensearchml.io/v1alpha1/namespaces/team/mlconnectors/one/status"


def result(variant: Variant, *, in_doubt: bool = False, problem: str = "", reached: bool = True) -> Result:
    plan = Plan("create", (Fault("kube: patch #1", variant),))
    problems = (problem,) if problem else ()
    return Result(plan, problems, reached, (), converged=2.0, in_doubt=in_doubt)


def test_a_row_counts_what_passed_failed_and_did_not_come() -> None:
    row = Row("create")
    row.add(result(Variant.RESET))
    row.add(result(Variant.RESET, problem="A1"))
    row.add(result(Variant.RESET, reached=False))
    assert (row.plans, row.passed, row.failed, row.idle) == (3, 1, 1, 1)
    assert row.converged == [2.0]
    assert row.known == row.in_doubt == []


def test_kills_are_told_apart_by_whether_a_create_was_open() -> None:
    row = Row("create")
    row.add(result(Variant.KILL_BEFORE))
    row.add(result(Variant.ZOMBIE, in_doubt=True))
    row.add(result(Variant.ZOMBIE, in_doubt=True))
    assert (len(row.known), len(row.in_doubt)) == (1, 2)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)])
def test_a_quantile_is_one_of_the_values(share: float, value: float) -> None:
    assert figures.quantile([float(each) for each in range(100, 0, -1)], share) == value


def test_nothing_has_no_quantile() -> None:
    assert figures.quantile([], 0.99) == 0.0


def test_a_later_run_replaces_its_own_row_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results" / "latest.json"
    figures.keep_rows("fakes", [Row("create", plans=1), Row("edit", plans=2)], path)
    figures.keep_rows("fakes", [Row("create", plans=3)], path)
    found = json.loads(path.read_text())["fakes"]
    assert {name: row["plans"] for name, row in found.items()} == {"create": 3, "edit": 2}


def test_tables_of_the_page_are_written_anew_and_its_words_stay(tmp_path: Path) -> None:
    path, page = tmp_path / "latest.json", tmp_path / "page.md"
    figures.keep_rows("fakes", [Row("create", plans=1234, passed=1234, known=[1.0, 3.0])], path)
    storm = {"seed": 7, "sets": 5, "kills": 8, "effects": 900, "problems": [], "converged": 12.0}
    figures.keep("storms", {"fakes": storm}, path)
    parts = [f"<!-- figures: {name} -->\nold\n<!-- end -->" for name in ("fakes", "recovery", "storms")]
    page.write_text("\n\n".join(["Words before.", *parts, "Words after."]))
    figures.write_page(page, path)
    text = page.read_text()
    assert "old" not in text
    assert "| `create` | 1,234 | 1,234 | 0 | 0 |" in text
    assert "| killed, all ids on record | at rest | fakes | 2 | 1.0 s | 3.0 s | 3.0 s |" in text
    assert "| fakes | 7 | 5 | 8 | 900 | 0 | 12 s |" in text
    assert text.startswith("Words before.")
    assert text.endswith("Words after.")
    figures.write_page(page, path)
    assert page.read_text() == text


@pytest.mark.parametrize(
    ("pending", "answered", "in_doubt"),
    [
        ({"role": "Connector", "revision": 1}, True, True),
        ({"role": "Connector", "revision": 1}, False, False),
        ({"role": "Deploy"}, True, False),
        (None, True, False),
    ],
    ids=["an intent", "an intent that was never stored", "a deploy", "none"],
)
def test_a_kill_is_in_doubt_while_an_intent_to_create_stands(
    pending: Any, *, answered: bool, in_doubt: bool
) -> None:
    history = History(lambda: 1.0)
    entry = history.begin(
        Entry("kube", 0, "kube: patch #1", Request("PATCH", STATUS, (), b"{}"), 1.0, fate="V2 kill after")
    )
    body = {"kind": "MLConnector", "metadata": {"name": "one", "uid": "u"}, "status": {"pending": pending}}
    if answered:
        history.answer(entry, Response(200, (), json.dumps(body).encode()))
    assert oracles.is_in_doubt(history) == in_doubt
