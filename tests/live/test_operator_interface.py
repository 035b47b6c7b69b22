"""A model's schemas: OpenSearch checks predictions against them, and against none that were taken back."""

from __future__ import annotations

import json
from http import HTTPStatus

from support.live_stage import Stage
from support.live_waiting import until

STRICT = json.dumps({"type": "object", "required": ["never-sent"]})


def test_an_interface_that_is_taken_back_lets_everything_pass(stage: Stage) -> None:
    stage.connect()
    stage.kube.apply(*stage.sets.one_set("first"))
    model = stage.ready("first")
    assert stage.remote.predict(model).status_code == HTTPStatus.OK
    strict = {"input": STRICT, "output": STRICT}
    stage.kube.apply(stage.sets.model("first", interface=strict))
    until(lambda: stage.remote.predict(model).status_code == HTTPStatus.BAD_REQUEST, seconds=30)
    stage.ready("first")
    stage.kube.apply(stage.sets.model("first"))
    until(lambda: stage.remote.predict(model).status_code == HTTPStatus.OK, seconds=30)
    assert stage.ready("first") == model
    shown = stage.remote.get("models", model)
    assert shown is not None
    assert shown["interface"] == {"input": "{}", "output": "{}"}
