"""The settings of the process, from its environment.

Names are those of the fields, in capitals, after OPENSEARCH_ML_; an empty variable counts as not set.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .constants import NAME
from .models.rules import seconds

PREFIX: Final = "OPENSEARCH_ML_"

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]

_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Settings(BaseSettings):
    """Read once, at start; raises pydantic's ValidationError, which names the variable that is wrong."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, validate_by_name=True, validate_by_alias=True
    )

    watch_namespaces: str = ""
    """Namespaces to watch, separated by commas; empty for all, which needs cluster-wide permissions."""
    workers: Annotated[int, Field(ge=1, le=256)] = 32
    """How many objects are reconciled at a time."""
    bind_address: str = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus come from other hosts
    """Where metrics and probes are served."""
    metrics_port: Port = 8080
    """Port of /metrics; 0 for any free one."""
    health_port: Port = 8081
    """Port of /healthz and /readyz; 0 for any free one."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged; debug shows tracebacks, which may quote what a library was working on."""
    log_format: Literal["json", "text"] = "json"
    """json for machines, text for people."""
    quiet_period: str = "120s"
    """How long after an unanswered create the server may still carry it out; no second one is sent before.

    At least the read time-out of the slowest connection, plus the 60 s that OpenSearch queues a write for,
    plus a margin. A shorter one risks duplicates.
    """
    leader_election: bool = True
    """Whether several replicas agree on the one that works; without, there must never be more than one."""
    lease_name: str = NAME
    """Name of the Lease of the election."""
    lease_namespace: str = Field(
        default="", validation_alias=AliasChoices(f"{PREFIX}LEASE_NAMESPACE", "POD_NAMESPACE")
    )
    """Namespace of the Lease; that of the pod, POD_NAMESPACE, when not set."""
    lease_duration: Seconds = 15.0
    """Seconds without a sign of life after which another replica takes over."""
    lease_renew_deadline: Seconds = 10.0
    """Seconds of failed renewals after which the leader gives up by itself."""
    lease_retry_period: Seconds = 2.0
    """Seconds between two tries to acquire or renew."""
    pod_name: str = Field(default="", validation_alias=AliasChoices(f"{PREFIX}POD_NAME", "POD_NAME"))
    """Name of this replica, POD_NAME."""
    service_account: str = ""
    """The ServiceAccount of the pod; needed for tokens of it."""
    service_account_namespace: str = Field(
        default="", validation_alias=AliasChoices(f"{PREFIX}SERVICE_ACCOUNT_NAMESPACE", "POD_NAMESPACE")
    )
    """Namespace of the ServiceAccount; that of the pod, POD_NAMESPACE, when not set."""
    token_audiences: str = ""
    """Audiences of tokens that connections may ask for, separated by commas; none by default.

    Whoever may create a connection can have such a token sent to any address.
    """

    aws_identity_for_teams: bool = False
    """Whether an OpenSearchConnection may sign as the operator's own pod, as those of the cluster may.

    Whoever may create one reaches with it all that the pod reaches in AWS.
    """

    @property
    def audiences(self) -> tuple[str, ...]:
        """The audiences, each once."""
        return _words(self.token_audiences)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces to watch, each once; none means all."""
        return _words(self.watch_namespaces)

    @property
    def quiet_period_seconds(self) -> float:
        """The quiet period in seconds."""
        return seconds(self.quiet_period)

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _ignore_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("quiet_period")
    @classmethod
    def _is_a_duration(cls, value: str) -> str:
        if seconds(value) <= 0:
            raise ValueError("must be more than nothing, for example 120s")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for name in self.namespaces:
            if not _NAMESPACE.fullmatch(name):
                raise ValueError(f"{PREFIX}WATCH_NAMESPACES: {name!r} is no name of a namespace")
        if not self.lease_retry_period < self.lease_renew_deadline < self.lease_duration:
            raise ValueError("the lease's retry period, renew deadline and duration must grow in this order")
        if self.leader_election and not (self.lease_namespace and self.pod_name):
            raise ValueError(
                "leader election needs POD_NAMESPACE and POD_NAME in the environment (from the pod's own "
                f"metadata), or {PREFIX}LEADER_ELECTION=false"
            )
        if self.audiences and not (self.service_account and self.service_account_namespace):
            raise ValueError(
                f"{PREFIX}TOKEN_AUDIENCES needs {PREFIX}SERVICE_ACCOUNT and POD_NAMESPACE in the environment"
            )
        return self


def _words(text: str) -> tuple[str, ...]:
    """Return what commas separate, each once."""
    words = (word.strip() for word in text.split(","))
    return tuple(dict.fromkeys(word for word in words if word))
