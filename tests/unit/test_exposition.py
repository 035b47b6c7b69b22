"""The text format, against the client's library: its reader reads what is written, as it does its own."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from opensearch_ml_operator.exposition import Family, labels, write

# What ends a line for Python alone is nothing special in a label, but the library's reader splits there.
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=8).map(
    lambda text: text.replace("~", "\n").replace("^", "\\").replace("'", '"')
)
values = st.floats(allow_nan=False) | st.integers(-(2**53), 2**53) | st.booleans()
samples = st.lists(st.tuples(texts, texts, values), max_size=5, unique_by=lambda sample: sample[:2])


@given(texts, samples, samples)
def test_the_library_reads_what_is_written(
    words: str, gauges: list[tuple[str, str, float]], counters: list[tuple[str, str, float]]
) -> None:
    class Library(Collector):
        def collect(self) -> Iterator[Metric]:
            for family, its in (
                (GaugeMetricFamily("some_gauge", words, labels=("one", "two")), gauges),
                (CounterMetricFamily("some_counter", words, labels=("one", "two")), counters),
            ):
                for one, two, value in its:
                    family.add_metric((one, two), value)
                yield family

    registry = CollectorRegistry()
    registry.register(Library())
    ours = b"".join(
        write(
            (
                Family("some_gauge", words, [(labels(one=a, two=b), value) for a, b, value in gauges]),
                Family(
                    "some_counter_total",
                    words,
                    [(labels(one=a, two=b), value) for a, b, value in counters],
                    type="counter",
                ),
            )
        )
    )
    assert _read(ours) == _read(generate_latest(registry))


def test_what_has_no_labels_has_no_braces() -> None:
    assert b"".join(write([Family("depth", "How deep.", [("", 3)])])).splitlines()[-1] == b"depth 3.0"


def test_much_is_written_in_blocks() -> None:
    many = [(labels(name=str(number)), number) for number in range(5000)]
    blocks = list(write([Family("many", "Many.", many)]))
    assert len(blocks) > 1
    (family,) = _read(b"".join(blocks))
    assert len(family.samples) == len(many)


def _read(text: bytes) -> list[Metric]:
    return list(text_string_to_metric_families(text.decode()))
