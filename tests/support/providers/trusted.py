"""The endpoints that each release trusts by itself (`MLCommonsSettings` of ml-commons)."""

from __future__ import annotations

from stack import versions

_AWS = r"\..*[a-z0-9-]\.amazonaws\.com"
_BOTH = frozenset(
    (
        rf"^https://runtime\.sagemaker{_AWS}/.*$",
        rf"^https://api\.sagemaker{_AWS}/.*$",
        rf"^https://bedrock-runtime{_AWS}/.*$",
        rf"^https://bedrock-agent-runtime{_AWS}/.*$",
        rf"^https://bedrock{_AWS}/.*$",
        rf"^https://textract{_AWS}$",
        rf"^https://comprehend{_AWS}$",
        rf"^https://rekognition(-fips)?{_AWS}$",
        r"^https://api\.openai\.com/.*$",
        r"^https://api\.cohere\.ai/.*$",
        r"^https://api\.deepseek\.com/.*$",
    )
)
BUILT_IN = {
    versions.OPENSEARCH_2: _BOTH,
    versions.OPENSEARCH_3: _BOTH | {r"^https://generativelanguage\.googleapis\.com/.*$"},
}


def note(pattern: str) -> str:
    """Return what an example has to say of its pattern."""
    missing = [version for version, patterns in BUILT_IN.items() if pattern not in patterns]
    if not missing:
        return "built in"
    if len(missing) == len(BUILT_IN):
        return "to be added"
    present = [version for version in BUILT_IN if version not in missing]
    return f"built in on {', '.join(present)}, to be added on {', '.join(missing)}"
