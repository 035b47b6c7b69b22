"""The probe of a RemoteModel: a prediction that shows whether the model answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from .common import Model
from .fields import Duration, FreeForm, JSONPath, ShortText, Timestamp
from .rules import Rule, at_most_one, lasts


class Expectation(Model):
    """What the answer to the probe must be like."""

    json_path: JSONPath | None = None
    """Where in OpenSearch's answer there must be something: keys, dots between them, [n] for list items."""
    dimension: Annotated[int, Field(ge=1, le=65536)] | None = None
    """Length of the first vector of numbers in `inference_results[0].output[0].data`."""


class Probe(Model):
    """A prediction that the operator makes to see whether the model answers. Predictions may cost money."""

    mode: Literal["Off", "OnChange", "Periodic"] | None = None
    """OnChange (default if there is something to send): after every change. Periodic: every interval too."""
    interval: Duration = "5m"
    """Time between two probes of mode Periodic; at least 30s."""
    parameters: FreeForm | None = None
    """What to send: values of `${parameters.NAME}` in the connector's request body."""
    body: FreeForm | None = None
    """What to send instead of parameters: a whole request, such as `{"text_docs": ["hello"]}`."""
    expect: Expectation | None = None
    """What the answer must be like; without it any answer is good."""
    failure_threshold: Annotated[int, Field(ge=1, le=100)] = 3
    """Failures in a row that make a healthy model unhealthy. After a change the first one does."""

    rules: ClassVar[tuple[Rule, ...]] = (
        lasts("interval", "30s"),
        at_most_one("parameters", "body"),
        Rule(
            cel='!has(self.mode) || self.mode == "Off" || has(self.parameters) || has(self.body)',
            message="parameters or body must be set, unless mode is Off",
            field="mode",
            holds=lambda body: body.get("mode", "Off") == "Off" or "parameters" in body or "body" in body,
        ),
    )

    @property
    def request(self) -> Mapping[str, Any] | None:
        """What to send; None when there is nothing to do."""
        if self.mode == "Off":
            return None
        return self.body if self.parameters is None else {"parameters": self.parameters}


class ProbeStatus(Model):
    """The last probe. One that shows nothing new is not written: the times are then older than it."""

    last_time: Timestamp | None = None
    """When the model was probed."""
    last_success_time: Timestamp | None = None
    """When it last answered as expected."""
    latency_ms: Annotated[int, Field(ge=0)] | None = None
    """Milliseconds until the answer, or until it was given up."""
    dimension: Annotated[int, Field(ge=0)] | None = None
    """Length of the first vector in the answer."""
    message: ShortText | None = None
    """What came of it."""
    hash: ShortText | None = None
    """Changes with model, connector and spec: what was probed with another one is probed anew."""
