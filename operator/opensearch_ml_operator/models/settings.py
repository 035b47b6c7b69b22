"""MLClusterSettings: settings of the ML Commons plugin, kept on one connection's cluster."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .common import ConnectionRef, HoldableSpec, HoldableStatus, Model
from .fields import Duration, FreeForm, ListSet, LongText, Timestamp
from .rules import Rule, immutable, lasts

Pattern = Annotated[str, Field(min_length=1, max_length=256)]
Standing = Annotated[list[LongText], Field(max_length=4096)]


class TrustedEndpoints(Model):
    """Entries of plugins.ml_commons.trusted_connector_endpoints_regex, beside those of others."""

    add: Annotated[list[Pattern], Field(min_length=1, max_length=64), ListSet()]
    """Regular expressions that are added to the list that stands; each matches a connector's whole URL."""


class MLClusterSettingsSpec(HoldableSpec):
    """The settings as they should be."""

    connection_ref: ConnectionRef
    """The connection to the cluster whose settings these are. Cannot be changed."""
    settings: FreeForm = Field(default_factory=dict)
    """Texts, numbers, booleans or lists, by name: plugins.ml_commons.NAME or NAME alone; no others."""
    trusted_endpoints: TrustedEndpoints | None = None
    """Connector endpoints to trust; the server's own list and the entries of others are kept."""
    on_delete: Literal["Restore", "Leave"] = "Restore"
    """Whether deleting this object, or an entry of it, puts back what stood before or leaves what stands."""
    resync_interval: Duration = "10m"
    """How often the cluster is compared with this object; 0s for never, otherwise at least 30s."""

    rules: ClassVar[tuple[Rule, ...]] = (
        lasts("resyncInterval", "30s", or_zero=True),
        immutable("connectionRef"),
    )


class PreviousValue(Model):
    """A setting as it stood before the operator's first change; with neither field it was not set."""

    value: LongText | None = None
    """Its value."""
    values: Standing | None = None
    """Its values, when it was a list."""


class AddedEndpoints(Model):
    """What this object has done to the list of trusted endpoints."""

    default: bool
    """Whether the setting was not set before, so that `before` is the server's default."""
    before: Standing
    """The list before the operator's first change."""
    added: Annotated[list[Pattern], Field(max_length=128)]
    """The entries that this object has added to it."""


class MLClusterSettingsStatus(HoldableStatus):
    """The settings as they are."""

    previous: Annotated[dict[str, PreviousValue], Field(max_length=256)] = Field(default_factory=dict)
    """The settings that this object holds, by their full names, as they stood before."""
    trusted_endpoints: AddedEndpoints | None = None
    """What this object has added to the list of trusted endpoints."""
    unclear_since: Timestamp | None = None
    """When a change got no clear answer; for a while after that it may still be carried out."""
