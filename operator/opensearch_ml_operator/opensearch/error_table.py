"""What the answers of OpenSearch mean, as data: read from top to bottom, the first row that fits counts.

The server's statuses alone do not say it: its own exceptions are 500 whatever they mean (MLException,
MLLimitExceededException, MLValidationException), and one refusal has other statuses and words in other
versions. So a row looks at status, `error.type` and the reason's words.

"seen" names the versions that gave the very answer; other rows were read in the source of ml-commons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..errors import MLCode
from .operations import SEARCHES, Operation
from .schemas import ErrorBody


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of answer. None fits all; `reason` is searched for in the server's words, group 1 is an id."""

    code: MLCode
    note: str
    statuses: frozenset[int]
    type: str | None = None
    reason: re.Pattern[str] | None = None
    operations: frozenset[Operation] | None = None
    retry_after: float | None = None
    """Seconds, when the words say so; a Retry-After header wins."""

    def fits(self, operation: Operation, status: int, body: ErrorBody) -> bool:
        """Whether this row explains the answer."""
        return (
            status in self.statuses
            and (self.operations is None or operation in self.operations)
            and (self.type is None or self.type == body.type)
            and (self.reason is None or self.reason.search(body.reason) is not None)
        )


def _row(
    code: MLCode,
    statuses: Iterable[int],
    reason: str | None = None,
    *,
    note: str,
    type: str | None = None,  # noqa: A002 - the server's word for it
    operations: Iterable[Operation] | None = None,
    retry_after: float | None = None,
) -> Row:
    return Row(
        code=code,
        note=note,
        statuses=frozenset(statuses),
        type=type,
        reason=re.compile(reason) if reason is not None else None,
        operations=frozenset(operations) if operations is not None else None,
        retry_after=retry_after,
    )


EMPTY: Final = "{}"
"""Stands for the reason of an answer that is this and nothing else; a proxy's 404 is a page."""

_READS: Final = (
    Operation.GET_CONNECTOR,
    Operation.GET_GROUP,
    Operation.GET_MODEL,
    Operation.GET_TASK,
    Operation.PROFILE_MODEL,
)
_DELETES: Final = (Operation.DELETE_CONNECTOR, Operation.DELETE_GROUP, Operation.DELETE_MODEL)
_ADDRESSED: Final = (
    *_READS,
    *_DELETES,
    Operation.UPDATE_CONNECTOR,
    Operation.UPDATE_GROUP,
    Operation.UPDATE_MODEL,
    Operation.DEPLOY_MODEL,
    Operation.UNDEPLOY_MODEL,
    Operation.PREDICT,
)

TABLE: Final[tuple[Row, ...]] = (
    # What the model's provider says, with its own status: before all that is about OpenSearch
    _row(
        MLCode.PROVIDER_FAILED,
        range(300, 600),
        r"^(Error from remote service: |Error communicating with remote model: |Remote service returned )",
        note="2.19, 3.6 seen: also 401, 403, 404 and 429; connection refused and read time-outs are 500",
        operations=[Operation.PREDICT],
    ),
    _row(
        MLCode.PROVIDER_FAILED,
        [400],
        r"^No response from model",
        note="2.19 seen: the provider's answer has no body, good or bad",
        operations=[Operation.PREDICT],
    ),
    # Predictions that OpenSearch itself refuses
    _row(
        MLCode.REJECTED,
        [403],
        r"^Model is disabled",
        note="2.19, 3.6 seen",
        operations=[Operation.PREDICT],
    ),
    _row(
        MLCode.LIMIT,
        [429],
        r"^Request is throttled at ",
        note="all: TransportPredictionTaskAction, the model's or the user's rate limiter",
        operations=[Operation.PREDICT],
    ),
    # Who we are and what we may
    _row(MLCode.UNAUTHENTICATED, [401], note="2.19 seen: text/plain, no JSON"),
    _row(MLCode.FORBIDDEN, [403], type="security_exception", note="2.19 seen: names the missing permission"),
    _row(
        MLCode.FORBIDDEN,
        [500],
        r"^no permissions for \[",
        note="2.19 seen: the profile answers 500 with error and exception as strings",
        operations=[Operation.PROFILE_MODEL],
    ),
    _row(
        MLCode.FORBIDDEN,
        [400, 500],
        r"^(You don't have permissions? to |No permission to |You are not allowed to "
        r"|User [Dd]oesn't have privilege to )",
        note="2.19 seen: access control; 400 to PUT, undeploy and register, 500 to DELETE of a connector",
    ),
    # What stands before a domain of Amazon OpenSearch Service, which has seen nothing of such a request
    _row(
        MLCode.UNAUTHENTICATED,
        [403],
        r"^(The security token included in the request is (invalid|expired)"
        r"|The request signature we calculated does not match "
        r"|Signature (expired|not yet current): |Credential should be scoped to |Missing Authentication Token"
        r"|Authorization header requires )",
        note="as AWS documents it, and users of it quote it: about the signature, not about rights",
    ),
    _row(
        MLCode.FORBIDDEN,
        [403],
        r"^User: \S+ is not authorized to perform: (es|aoss):",
        note="as AWS documents it: a policy of AWS, not a role of the Security plugin",
    ),
    # Is it there at all
    _row(MLCode.PLUGIN_MISSING, [400], r"^no handler found for uri \[/_plugins/_ml/", note="2.19, 3.6 seen"),
    # Retry soon: the first credential of a new cluster comes before its key
    _row(
        MLCode.BUSY,
        [404, 500],
        r"^The ML encryption master key has not been initialized yet",
        note="all: EncryptorImpl.MASTER_KEY_NOT_READY_ERROR, nothing is written",
        retry_after=10.0,
    ),
    _row(
        MLCode.BUSY,
        [500, 503],
        r"\[\.plugins-ml-config\]\[master_key\]",
        note="3.6 seen in its log: the first creates meet the index of the key before its shard; "
        "the key is needed first, so nothing is written",
        retry_after=1.0,
    ),
    # What the body names is not there: other than NOT_FOUND, which is about the object in the path
    _row(
        MLCode.REJECTED,
        [404],
        r"^Failed to find connector:",
        type="status_exception",
        note="2.19, 3.6 seen: the connector of a register",
        operations=[Operation.REGISTER_MODEL],
    ),
    _row(
        MLCode.REJECTED,
        [500],
        r"^Model Group Response is empty for ",
        type="m_l_resource_not_found_exception",
        note="2.19, 3.6 seen: the group of a register",
        operations=[Operation.REGISTER_MODEL],
    ),
    _row(
        MLCode.REJECTED,
        [404],
        r"^Failed to find the model group with the provided model group id in the update model input",
        note="2.19, 3.6 seen",
        operations=[Operation.UPDATE_MODEL],
    ),
    # The object in the path is not there. DELETE and PUT say this also when the index is red (3.6 seen);
    # only a GET's 404 counts as absence. A 404 in other words is a proxy's: no proof of anything.
    _row(
        MLCode.NOT_FOUND,
        [404],
        r"^Fail(ed)? to find (connector|model|model group|model group index|task)"
        r"($| with the provided | to update )",
        type="status_exception",
        note="2.19, 3.6 seen; without ids when the index is missing",
        operations=_ADDRESSED,
    ),
    _row(
        MLCode.NOT_FOUND,
        [404],
        type="index_not_found_exception",
        note="no index yet: nothing of this kind was ever created",
        operations=[*_READS, *_DELETES, Operation.CHECK_PLUGIN, *SEARCHES],
    ),
    _row(
        MLCode.NOT_FOUND,
        [404],
        rf"^{re.escape(EMPTY)}$",
        note="2.19, 3.6 seen: the cluster has no such pipeline at all, and says `{}`",
        operations=[Operation.GET_INGEST_PIPELINES, Operation.GET_SEARCH_PIPELINES],
    ),
    # Creates of connectors
    _row(
        MLCode.PRIVATE_ADDRESS,
        [400],
        r"(^Remote inference host name has private ip address|trusted connector private endpoint regex)",
        note="2.19, 3.6 seen at predict; the second from 3.7",
    ),
    _row(
        MLCode.ENDPOINT_NOT_TRUSTED,
        [400],
        r"^(Connector URL is not matching the trusted connector endpoint regex"
        r"|Trusted connector endpoints regex is not )",
        note="2.19 seen (the URL follows), 3.6 seen",
    ),
    _row(
        MLCode.ENDPOINT_NOT_TRUSTED,
        [400],
        type="pattern_syntax_exception",
        note="2.19, 3.6 seen: the trusted list holds a broken pattern, every create fails until it is mended",
    ),
    # Names and ids
    _row(
        MLCode.NAME_TAKEN,
        [400],
        r"already being used by (?:a model group|another model) with ID: ([^\s.]+)",
        note="2.19, 3.6 seen",
    ),
    _row(
        MLCode.NAME_TAKEN,
        [409],
        r"^(?:connector|model|model group) id '([^']+)' already exists",
        note="3.9, MLResourceIdUtils: an id chosen by us",
    ),
    # In use
    _row(
        MLCode.IN_USE,
        [400, 409, 500],
        r"^\d+ .{1,60}? (are|is) still using this (connector|model), please ",
        note="2.19, 3.6 seen: 409 to DELETE, 400 to PUT; 500 before 2.12; safe_delete_model names pipelines",
    ),
    _row(
        MLCode.IN_USE,
        [409],
        r"^Cannot delete the model group when it has associated model versions",
        note="2.19, 3.6 seen",
    ),
    # Not now
    _row(
        MLCode.BUSY,
        [400, 409, 500],
        r"^(Model is deploying\. Please wait|Model cannot be deleted in deploying or deployed state)",
        note="2.19, 3.6 seen",
    ),
    _row(
        MLCode.BUSY,
        [409],
        r"(^Document version conflict updating |version conflict)",
        note="3.6 seen: a concurrent write of the same model or group won",
    ),
    _row(
        MLCode.BUSY,
        [500],
        r"^Failed to update data object in index \.plugins-ml-model",
        note="2.19 seen: the same conflict in 2.x; also a write block, equally without effect",
        operations=[Operation.UPDATE_MODEL, Operation.UPDATE_GROUP, Operation.DEPLOY_MODEL],
    ),
    _row(
        MLCode.BUSY,
        [500],
        r"^Failed to update data object in index \.plugins-ml-model-group",
        note="2.19 seen: parallel registers into one group; the model is written after it, so it was not",
        operations=[Operation.REGISTER_MODEL],
    ),
    _row(
        MLCode.LIMIT,
        [500],
        r"^exceed max running task limit",
        type="m_l_limit_exceeded_exception",
        note="2.19, 3.6 seen: nothing is left but a task in CREATED",
    ),
    # Refusals that come as 500
    _row(
        MLCode.REJECTED,
        [500],
        r"^Can't get text on a ",
        type="illegal_state_exception",
        note="2.19, 3.6 seen: a null or an object where text belongs; the body was not even parsed",
    ),
    _row(
        MLCode.REJECTED,
        [500],
        r"^model group name must not be null",
        type="null_pointer_exception",
        note="2.19, 3.6 seen",
        operations=[Operation.CREATE_GROUP],
    ),
    _row(
        MLCode.REJECTED,
        [500],
        r"^(Remote Inference is currently disabled|The MCP connector is not enabled)",
        note="500 until about 3.5, 400 since",
    ),
)
