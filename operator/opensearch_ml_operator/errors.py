"""Every error that crosses a layer of the operator.

    OperatorError
      MLError                    OpenSearch answered with an error, or did not answer; `code` says which
      StatusConflictError        the object has changed since it was read (409): read again, decide again
      ObjectGoneError            the object is not there any more (404)
      KubernetesUnavailableError the API server did not answer, or answered 5xx or 429
      KubernetesForbiddenError   our ServiceAccount lacks a permission
      AWSError                   no credentials of AWS: who gives them is away or overloaded
        AWSRefusedError          no credentials of AWS: they were refused, or there is nowhere to ask
      WatchesEndedError          kopf watches no more: the process has to be started again

Messages are built from fixed templates. `MLError.message` is the server's own text, shortened and with
secrets masked by the transport; bodies, headers and URLs with credentials never get in.
"""

from __future__ import annotations

from enum import StrEnum


class OperatorError(Exception):
    """Base of all errors of this package."""


class MLCode(StrEnum):
    """What an answer of OpenSearch means for the caller, by the error table of `opensearch.errors`."""

    # The call had no effect, for certain.
    NOT_SENT = "not-sent"  # the connection could not be made: the request never left
    TLS_FAILED = "tls-failed"  # the server's certificate was not accepted: the request never left
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    REJECTED = "rejected"  # the server understood and refused: only a change of the request helps
    ENDPOINT_NOT_TRUSTED = "endpoint-not-trusted"
    PRIVATE_ADDRESS = "private-address"
    NAME_TAKEN = "name-taken"  # a model group of that name exists; `ids` holds its id
    IN_USE = "in-use"  # refused because models use it; `ids` holds the models that the server named
    BUSY = "busy"  # refused for now: the model is deploying, or a concurrent write won (409)
    LIMIT = "limit"  # more tasks than the server runs at once: refused, nothing written
    PLUGIN_MISSING = "plugin-missing"
    PROVIDER_FAILED = "provider-failed"  # of a prediction: what failed is the model's provider
    # Whether the call had an effect is unknown.
    AMBIGUOUS = "ambiguous"  # cut connection, time-out, 5xx, 429, unreadable answer

    @property
    def effect_unknown(self) -> bool:
        """Whether the request may have been carried out, now or later."""
        return self is MLCode.AMBIGUOUS


class MLError(OperatorError):
    """OpenSearch refused, failed or did not answer.

    `status` is the HTTP status (None when there was no answer), `retry_after` in seconds,
    `ids` the object ids that the answer names.
    """

    def __init__(
        self,
        code: MLCode,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        ids: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.ids = ids


class StatusConflictError(OperatorError):
    """A compare-and-set write lost: the resourceVersion is not the newest."""


class ObjectGoneError(OperatorError):
    """The Kubernetes object does not exist any more."""


class KubernetesUnavailableError(OperatorError):
    """The API server is away or overloaded; `retry_after` in seconds when it said so."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class KubernetesForbiddenError(OperatorError):
    """The API server refused our ServiceAccount; the message names verb and resource."""


class AWSError(OperatorError):
    """Nobody who gives credentials of AWS has answered properly; the message says who was asked."""


class AWSRefusedError(AWSError):
    """We get no credentials of AWS before a person has changed something; the message says what."""


class WatchesEndedError(OperatorError):
    """kopf has lost a watch for good, and with it ends all others: the process must not go on without them.

    kopf may not come to its end by itself. After a 401 it closes the streams of all watches; one that was
    busy just then fails for good (RuntimeError of aiohttp), and the others wait for a login that nobody does
    any more (kopf 1.45). It would kill the process only after 10 minutes.
    """

    def __init__(self) -> None:
        super().__init__("the watches have ended; the process ends too, to be started again")
