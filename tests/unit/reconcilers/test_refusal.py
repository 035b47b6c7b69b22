"""Every meaning that an answer of OpenSearch can have comes with a reason and with advice."""

from __future__ import annotations

import pytest

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.reconcilers import refusal


@pytest.mark.parametrize("code", MLCode, ids=lambda code: code.value)
def test_every_refusal_says_what_failed_in_the_servers_words_and_what_to_do(code: MLCode) -> None:
    fact = refusal.fact(MLError(code, "the server's words."), doing="make it")

    assert fact.holds is False
    assert fact.message.startswith("Could not make it: the server's words. ")
    assert len(fact.message) > len("Could not make it: the server's words. ") + 20


@pytest.mark.parametrize("code", MLCode, ids=lambda code: code.value)
def test_every_refusal_is_tried_again_sooner_or_later(code: MLCode) -> None:
    error = MLError(code, "no", retry_after=9.0)
    outcome = refusal.outcome(error)

    stalled = refusal.fact(error, doing="make it").stalled
    assert outcome.retry is not stalled
    assert outcome.requeue_after == (refusal.STALLED_INTERVAL if stalled else 9.0)
