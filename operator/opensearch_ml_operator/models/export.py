"""exportID: the id of a model, written where other programs of the namespace can read it."""

from __future__ import annotations

from typing import Literal

from .common import Model
from .fields import DataKey, ObjectName


class ExportID(Model):
    """One key of a ConfigMap or Secret that belongs to the model and goes with it."""

    kind: Literal["ConfigMap", "Secret"] = "ConfigMap"
    """Kind of the object; for Secrets the operator needs a right that the chart gives only when asked to."""
    name: ObjectName
    """Name of the object, in the same namespace. One that exists and is not the model's is not touched."""
    key: DataKey = "model_id"
    """Key under which the id stands."""
