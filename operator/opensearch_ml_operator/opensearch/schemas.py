"""The parts of OpenSearch's answers that the operator reads; all else in them is let pass.

A wrong type makes an MLError AMBIGUOUS, never a traceback: who answers so may have done anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import MLCode, MLError
from ..models.fields import RemoteID

Id = RemoteID  # stored in status, and put into paths


class Answer(BaseModel):
    """Base of all answers: strict types, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class ErrorBody(Answer):
    """What an error answer says; empty where it says nothing."""

    type: str = ""
    reason: str = ""


class ConnectorCreated(Answer):
    """POST /connectors/_create."""

    connector_id: Id


class GroupCreated(Answer):
    """POST /model_groups/_register."""

    model_group_id: Id


class ModelRegistered(Answer):
    """POST /models/_register; `model_id` since 2.11."""

    model_id: Id
    task_id: Id


class DeployStarted(Answer):
    """POST /models/{id}/_deploy; its `status` says COMPLETED whatever comes of it, so it is not read."""

    task_id: Id


class Document(Answer):
    """GET of a connector, group or model: `name` tells it from what some other server might answer."""

    name: str


class Task(Answer):
    """GET /tasks/{id}."""

    state: str


class NodeProfile(Answer):
    """One node's entry for a model; a failed deploy leaves one without a predictor."""

    predictor: str | None = None


class ModelProfile(Answer):
    """One model in the profile."""

    nodes: Mapping[str, NodeProfile] = Field(default_factory=dict)


class Profile(Answer):
    """GET /profile/models/{id}?view=model; `{}` when no node has it."""

    models: Mapping[str, ModelProfile] = Field(default_factory=dict)


class Prediction(Answer):
    """POST .../_predict; what is inside depends on the connector's post-processing."""

    inference_results: tuple[Mapping[str, Any], ...] = Field(strict=False)


class Shards(Answer):
    """How many shards a search has asked."""

    total: int
    failed: int


class SearchHit(Answer):
    """One document of a search."""

    id: Id = Field(alias="_id")
    source: Mapping[str, Any] = Field(alias="_source")


class Hits(Answer):
    """The page of a search."""

    hits: tuple[SearchHit, ...] = Field(strict=False)


class SearchResult(Answer):
    """POST .../_search."""

    timed_out: bool
    shards: Shards = Field(alias="_shards")
    hits: Hits


class Version(Answer):
    """The version block of GET /."""

    number: str
    distribution: str = ""


class Info(Answer):
    """GET /."""

    cluster_name: str
    cluster_uuid: str
    version: Version


class Settings(Answer):
    """GET /_cluster/settings, flat; the configuration file's values are among the defaults."""

    persistent: Mapping[str, Any] = Field(default_factory=dict)
    transient: Mapping[str, Any] = Field(default_factory=dict)
    defaults: Mapping[str, Any] = Field(default_factory=dict)

    def get(self, name: str) -> Any:
        """Return the value in force: transient, then persistent, then file or default, OpenSearch's order."""
        for layer in (self.transient, self.persistent, self.defaults):
            if name in layer:
                return layer[name]
        return None


class Nodes(Answer):
    """GET /_cluster/state/nodes: the nodes by id."""

    nodes: Mapping[str, Any] = Field(default_factory=dict)


AnswerT = TypeVar("AnswerT", bound=Answer)


def read(schema: type[AnswerT], answer: Any, *, doing: str) -> AnswerT:
    """Check an answer's parts; raises MLError AMBIGUOUS, without a word of the answer in it."""
    try:
        return schema.model_validate(answer)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, e["loc"])) or "body" for e in error.errors()}))
        raise unreadable(doing, fields) from None


def unreadable(doing: str, what: str) -> MLError:
    """Return the error for an answer that is not what the API promises."""
    return MLError(MLCode.AMBIGUOUS, f"{doing} got an unreadable answer ({what})")


def parse_error(body: bytes) -> ErrorBody | None:
    """Read an error body in any of its shapes, or None when it is not JSON or not one of them.

    {"error": {"type", "reason"}, "status"} is the rule; routing errors carry a string instead of the object,
    and the profile adds {"exception"}, which is the better text (RestMLProfileAction.onFailed).
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    match document.get("error"), document.get("exception"):
        case {**error}, _:
            return ErrorBody(type=_text(error.get("type")), reason=_text(error.get("reason")))
        case str() as text, str() as exception:
            return ErrorBody(reason=exception or text)
        case str() as text, _:
            return ErrorBody(reason=text)
        case _:
            return None


def parse_gateway(body: bytes) -> ErrorBody | None:
    """Read an error of what stands before a domain of AWS: {"message"}, or {"Message"} of its policies."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    words = _text(document.get("message")) or _text(document.get("Message"))
    return ErrorBody(reason=words) if words else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
