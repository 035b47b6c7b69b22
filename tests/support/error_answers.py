"""Answers of real servers (2.19.1, 3.6.0) that are no success, and what each means for the operator."""

from __future__ import annotations

import json
from dataclasses import dataclass

from opensearch_ml_operator.errors import MLCode
from opensearch_ml_operator.opensearch.operations import Operation as Op

ID = "TU6YCKIB5fgdfnSRqV-t"
STATUS = "status_exception"
ILLEGAL = "illegal_argument_exception"


def body(status: int, type_: str, reason: str) -> bytes:
    cause = {"type": type_, "reason": reason}
    return json.dumps({"error": {"root_cause": [cause], **cause}, "status": status}).encode()


def gateway(words: str, field: str = "message") -> bytes:
    """Return what stands before a domain of AWS says."""
    return json.dumps({field: words}).encode()


@dataclass(frozen=True)
class Case:
    operation: Op
    status: int
    answer: bytes
    code: MLCode
    ids: tuple[str, ...] = ()
    retry_after: float | None = None


def case(
    operation: Op,
    status: int,
    type_: str,
    reason: str,
    code: MLCode,
    *ids: str,
    retry_after: float | None = None,
) -> Case:
    return Case(operation, status, body(status, type_, reason), code, ids, retry_after)


CASES = (
    # Who we are and what we may
    Case(Op.GET_INFO, 401, b"Unauthorized", MLCode.UNAUTHENTICATED),
    case(
        Op.GET_CONNECTOR,
        403,
        "security_exception",
        "no permissions for [cluster:admin/opensearch/ml/connectors/get] and User [name=op1, "
        "backend_roles=[teamA], requestedTenant=null]",
        MLCode.FORBIDDEN,
    ),
    Case(
        Op.PROFILE_MODEL,
        500,
        b'{"error":"Failed to get ML node level profile","exception":"no permissions for '
        b"[cluster:admin/opensearch/ml/profile/nodes] and User [name=op1, backend_roles=[], "
        b'requestedTenant=null]"}',
        MLCode.FORBIDDEN,
    ),
    case(
        Op.GET_CONNECTOR, 403, STATUS, "You don't have permission to access this connector", MLCode.FORBIDDEN
    ),
    case(
        Op.DELETE_CONNECTOR,
        500,
        "m_l_validation_exception",
        "You are not allowed to delete this connector",
        MLCode.FORBIDDEN,
    ),
    case(
        Op.UPDATE_GROUP,
        400,
        ILLEGAL,
        "You don't have permission to update this model group.",
        MLCode.FORBIDDEN,
    ),
    case(Op.UNDEPLOY_MODEL, 400, ILLEGAL, f"No permission to undeploy model {ID}", MLCode.FORBIDDEN),
    case(
        Op.REGISTER_MODEL,
        400,
        ILLEGAL,
        "You don't have permissions to perform this operation on this model.",
        MLCode.FORBIDDEN,
    ),
    case(
        Op.REGISTER_MODEL,
        400,
        ILLEGAL,
        f"You don't have permission to use the connector provided, connector id: {ID}",
        MLCode.FORBIDDEN,
    ),
    case(
        Op.DEPLOY_MODEL,
        403,
        STATUS,
        "User doesn't have privilege to perform this operation on this model",
        MLCode.FORBIDDEN,
    ),
    case(
        Op.DELETE_GROUP,
        500,
        "m_l_exception",
        "User doesn't have privilege to delete this model group",
        MLCode.FORBIDDEN,
    ),
    Case(Op.GET_INFO, 403, gateway("Missing Authentication Token"), MLCode.UNAUTHENTICATED),
    Case(
        Op.GET_INFO,
        403,
        gateway(
            "User: arn:aws:iam::123456789012:user/ml is not authorized to perform: es:ESHttpGet because no "
            "identity-based policy allows the es:ESHttpGet action",
            "Message",
        ),
        MLCode.FORBIDDEN,
    ),
    # The plugin
    Case(
        Op.CHECK_PLUGIN,
        400,
        b'{"error":"no handler found for uri [/_plugins/_ml/models/_search] and method [POST]"}',
        MLCode.PLUGIN_MISSING,
    ),
    # What is missing
    case(
        Op.CREATE_CONNECTOR,
        404,
        "resource_not_found_exception",
        "The ML encryption master key has not been initialized yet. "
        "Please retry after waiting for 10 seconds.",
        MLCode.BUSY,
        retry_after=10.0,
    ),
    case(
        Op.CREATE_CONNECTOR,
        503,
        "no_shard_available_action_exception",
        "No shard available for [get [.plugins-ml-config][master_key]: routing [null]]",
        MLCode.BUSY,
        retry_after=1.0,
    ),
    case(Op.REGISTER_MODEL, 404, STATUS, "Failed to find connector:missing1", MLCode.REJECTED),
    case(
        Op.REGISTER_MODEL,
        500,
        "m_l_resource_not_found_exception",
        "Model Group Response is empty for missing1",
        MLCode.REJECTED,
    ),
    case(
        Op.UPDATE_MODEL,
        404,
        STATUS,
        "Failed to find the model group with the provided model group id in the update model input, "
        "MODEL_GROUP_ID: missing1",
        MLCode.REJECTED,
    ),
    case(
        Op.GET_CONNECTOR,
        404,
        STATUS,
        f"Failed to find connector with the provided connector id: {ID}",
        MLCode.NOT_FOUND,
    ),
    case(Op.GET_CONNECTOR, 404, STATUS, "Failed to find connector", MLCode.NOT_FOUND),
    case(
        Op.DELETE_CONNECTOR,
        404,
        STATUS,
        f"Failed to find connector with the provided connector id: {ID}",
        MLCode.NOT_FOUND,
    ),
    case(
        Op.GET_MODEL, 404, STATUS, f"Failed to find model with the provided model id: {ID}", MLCode.NOT_FOUND
    ),
    case(Op.GET_MODEL, 404, STATUS, "Fail to find model", MLCode.NOT_FOUND),
    case(Op.DELETE_MODEL, 404, STATUS, "Failed to find model", MLCode.NOT_FOUND),
    case(
        Op.UPDATE_MODEL,
        404,
        STATUS,
        f"Failed to find model to update with the provided model id: {ID}",
        MLCode.NOT_FOUND,
    ),
    case(
        Op.GET_GROUP,
        404,
        STATUS,
        f"Failed to find model group with the provided model group id: {ID}",
        MLCode.NOT_FOUND,
    ),
    case(Op.GET_GROUP, 404, STATUS, "Failed to find model group index", MLCode.NOT_FOUND),
    case(Op.UPDATE_GROUP, 404, STATUS, "Failed to find model group", MLCode.NOT_FOUND),
    case(Op.GET_TASK, 404, STATUS, "Failed to find task", MLCode.NOT_FOUND),
    Case(Op.GET_INGEST_PIPELINES, 404, b"{}", MLCode.NOT_FOUND),
    Case(Op.GET_SEARCH_PIPELINES, 404, b"{}", MLCode.NOT_FOUND),
    case(
        Op.SEARCH_AGENTS,
        404,
        "index_not_found_exception",
        "no such index [.plugins-ml-agent]",
        MLCode.NOT_FOUND,
    ),
    case(
        Op.SEARCH_MODELS,
        404,
        "index_not_found_exception",
        "no such index [.plugins-ml-model]",
        MLCode.NOT_FOUND,
    ),
    # Creating connectors
    case(
        Op.CREATE_CONNECTOR,
        400,
        ILLEGAL,
        "Remote inference host name has private ip address: 127.0.0.1",
        MLCode.PRIVATE_ADDRESS,
    ),
    case(
        Op.CREATE_CONNECTOR,
        400,
        ILLEGAL,
        "Connector URL is not matching the trusted connector private endpoint regex",
        MLCode.PRIVATE_ADDRESS,
    ),
    case(
        Op.CREATE_CONNECTOR,
        400,
        ILLEGAL,
        "Connector URL is not matching the trusted connector endpoint regex",
        MLCode.ENDPOINT_NOT_TRUSTED,
    ),
    case(
        Op.CREATE_CONNECTOR,
        400,
        ILLEGAL,
        "Connector URL is not matching the trusted connector endpoint regex, URL is: https://x.example/v1",
        MLCode.ENDPOINT_NOT_TRUSTED,
    ),
    case(
        Op.CREATE_CONNECTOR,
        400,
        "pattern_syntax_exception",
        "Unclosed character class near index 0\n[\n^",
        MLCode.ENDPOINT_NOT_TRUSTED,
    ),
    # Names and ids
    case(
        Op.CREATE_GROUP,
        400,
        ILLEGAL,
        f"The name you provided is already being used by a model group with ID: {ID}.",
        MLCode.NAME_TAKEN,
        ID,
    ),
    case(
        Op.UPDATE_GROUP,
        400,
        ILLEGAL,
        f"The name you provided is already being used by another model with ID: {ID}. "
        "Please provide a different name",
        MLCode.NAME_TAKEN,
        ID,
    ),
    case(
        Op.CREATE_CONNECTOR,
        409,
        STATUS,
        "connector id 'kc6f0r1' already exists",
        MLCode.NAME_TAKEN,
        "kc6f0r1",
    ),
    # In use
    case(
        Op.DELETE_CONNECTOR,
        409,
        STATUS,
        f"2 models are still using this connector, please delete or update the models first: [{ID}, 9U6jb_Z]",
        MLCode.IN_USE,
        ID,
        "9U6jb_Z",
    ),
    case(
        Op.DELETE_MODEL,
        409,
        STATUS,
        "1 ingest pipelines are still using this model, please delete or update the pipelines first: [pipe]",
        MLCode.IN_USE,
        "pipe",
    ),
    case(
        Op.DELETE_GROUP,
        409,
        STATUS,
        "Cannot delete the model group when it has associated model versions",
        MLCode.IN_USE,
    ),
    # Not now
    case(
        Op.UPDATE_MODEL,
        409,
        STATUS,
        f"Model is deploying. Please wait for the model to complete deployment. model ID {ID}",
        MLCode.BUSY,
    ),
    case(
        Op.DELETE_MODEL,
        400,
        STATUS,
        "Model cannot be deleted in deploying or deployed state. Try undeploy model first then delete",
        MLCode.BUSY,
    ),
    case(
        Op.REGISTER_MODEL,
        409,
        STATUS,
        f"Document version conflict updating {ID} in index .plugins-ml-model-group",
        MLCode.BUSY,
    ),
    case(
        Op.UPDATE_MODEL, 500, STATUS, "Failed to update data object in index .plugins-ml-model", MLCode.BUSY
    ),
    case(
        Op.REGISTER_MODEL,
        500,
        STATUS,
        "Failed to update data object in index .plugins-ml-model-group",
        MLCode.BUSY,
    ),
    case(
        Op.REGISTER_MODEL, 500, "m_l_limit_exceeded_exception", "exceed max running task limit", MLCode.LIMIT
    ),
    # Refusals that come as 500
    case(
        Op.CREATE_CONNECTOR,
        500,
        "illegal_state_exception",
        "Can't get text on a VALUE_NULL at 1:9",
        MLCode.REJECTED,
    ),
    case(
        Op.CREATE_GROUP, 500, "null_pointer_exception", "model group name must not be null", MLCode.REJECTED
    ),
    case(
        Op.CREATE_CONNECTOR,
        500,
        "illegal_state_exception",
        "Remote Inference is currently disabled. To enable it, update the setting",
        MLCode.REJECTED,
    ),
    # Predictions: the provider's words with its status, and OpenSearch's own
    *(
        case(Op.PREDICT, status, STATUS, 'Error from remote service: {"error":"..."}', MLCode.PROVIDER_FAILED)
        for status in (302, 401, 403, 404, 429, 500, 503)
    ),
    case(
        Op.PREDICT,
        500,
        STATUS,
        "Remote service returned error status 500 with empty body",
        MLCode.PROVIDER_FAILED,
    ),
    case(Op.PREDICT, 502, STATUS, "Remote service returned empty response body", MLCode.PROVIDER_FAILED),
    case(
        Op.PREDICT,
        500,
        STATUS,
        "Error communicating with remote model: Connection refused: /127.0.0.1:9499",
        MLCode.PROVIDER_FAILED,
    ),
    case(Op.PREDICT, 400, STATUS, "No response from model", MLCode.PROVIDER_FAILED),
    case(Op.PREDICT, 403, STATUS, "Model is disabled.", MLCode.REJECTED),
    case(Op.PREDICT, 429, STATUS, "Request is throttled at model level.", MLCode.LIMIT),
    case(Op.PREDICT, 404, STATUS, "Failed to find model", MLCode.NOT_FOUND),
    case(
        Op.PREDICT,
        403,
        "security_exception",
        "no permissions for [cluster:admin/opensearch/ml/predict] and User [name=op1, backend_roles=[]]",
        MLCode.FORBIDDEN,
    ),
    Case(Op.PREDICT, 401, b"Unauthorized", MLCode.UNAUTHENTICATED),
)
