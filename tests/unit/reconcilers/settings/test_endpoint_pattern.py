"""Patterns for trusted endpoints: what goes through, and what would break every connector."""

from __future__ import annotations

import pytest

from opensearch_ml_operator.reconcilers.settings.endpoint_pattern import LONGEST, fault

GOOD = (
    r"^https://api\.openai\.com/.*$",
    r"^https://runtime\.sagemaker\..*[a-z0-9-]\.amazonaws\.com/.*$",
    r"^https://[a-z0-9-]+\.openai\.azure\.com/.*$",
    r"^https?://(?:a|b)\.models\.svc(:\d{2,5})?/[^/]+/.*?$",
    r"https://h\{x\}/[\w.\-&]*",
    "x" * LONGEST,
)
# What only one of Java and Python takes, or takes otherwise, goes the way of what neither takes.
BAD = (
    ("[", "character 1"),
    ("^https://models.example/[a-z/.*", "character 25"),
    ("https://{host}/", "character 9"),
    ("[[a]]", "character 1"),
    ("[a&&b]", "character 1"),
    ("[]a]", "character 1"),
    ("(?P<name>a)", "character 1"),
    ("(?<name>a)", "character 1"),
    ("a(?i)b", "character 2"),
    (r"(a)\1", "character 4"),
    (r"\p{Alpha}", "character 1"),
    (r"\Qa\E", "character 1"),
    ("a{,3}", "character 2"),
    ("a\\", "character 2"),
    ("*a", "nothing to repeat"),
    ("a|*", "nothing to repeat"),
    ("(a", "missing )"),
    ("a)", "unbalanced parenthesis"),
    ("a{2,1}", "min repeat greater than max repeat"),
    ("[z-a]", "bad character range"),
    ("x" * (LONGEST + 1), "1 to 256 characters"),
    ("", "1 to 256 characters"),
)


@pytest.mark.parametrize("pattern", GOOD)
def test_what_every_server_reads_alike_is_taken(pattern: str) -> None:
    assert fault(pattern) is None


@pytest.mark.parametrize(("pattern", "words"), BAD)
def test_what_a_server_might_choke_on_is_not(pattern: str, words: str) -> None:
    assert words in (fault(pattern) or "")
