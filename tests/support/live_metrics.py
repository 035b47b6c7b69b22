"""What a running operator tells Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from stack.operator_process import OperatorProcess

HEALTH_CHECKS = frozenset({"get-info", "check-plugin", "get-settings", "get-nodes"})


def scrape(operator: OperatorProcess) -> str:
    """Return the metrics as they are served."""
    return httpx.get(operator.metrics_url, trust_env=False).raise_for_status().text


def opensearch_requests(operator: OperatorProcess, namespace: str) -> Counter[str]:
    """Count the requests to OpenSearch through the connections of a namespace, without health checks."""
    counts: Counter[str] = Counter()
    for sample in _samples(operator, "opensearch_ml_http_requests_total"):
        labels = sample.labels
        if labels["namespace"] == namespace and labels["operation"] not in HEALTH_CHECKS:
            counts[labels["operation"]] += round(sample.value)
    return counts


def kubernetes_writes(operator: OperatorProcess) -> Counter[str]:
    """Count the writes of objects to the API server, kopf's own and those of the Lease left out."""
    counts: Counter[str] = Counter()
    for sample in _samples(operator, "opensearch_ml_kubernetes_requests_total"):
        labels = sample.labels
        if labels["method"] != "GET" and labels["resource"] != "leases":
            counts[labels["resource"]] += round(sample.value)
    return counts


def is_idle(operator: OperatorProcess) -> bool:
    """Tell whether nothing waits and nothing runs."""
    names = ("opensearch_ml_queue_depth", "opensearch_ml_reconcile_in_progress")
    return not any(sample.value for name in names for sample in _samples(operator, name))


def runs(operator: OperatorProcess) -> int:
    """Count the objects for which a run of this process has come to a good end."""
    return len(list(_samples(operator, "opensearch_ml_resource_last_success_timestamp_seconds")))


def sample(operator: OperatorProcess, name: str, /, **labels: str) -> float | None:
    """Return the value of the only series that has these labels, and may have more; None without one."""
    found = [each for each in _samples(operator, name) if labels.items() <= each.labels.items()]
    assert len(found) < 2, found
    return found[0].value if found else None


def _samples(operator: OperatorProcess, name: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(scrape(operator)):
        yield from (sample for sample in family.samples if sample.name == name)
