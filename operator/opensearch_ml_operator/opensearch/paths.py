"""Where the objects live in the ML Commons API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from ..errors import MLCode, MLError
from .operations import Operation

BASE: Final = "/_plugins/_ml"

# A word that begins with an underscore is an endpoint (`_search`, `_create`), never an id: an id of the
# server is 20 letters, digits, `-` and `_` at random. Model names serve as ids for hidden models only.
_ID: Final = re.compile(r"(?!_[a-z_]+\Z)[A-Za-z0-9_-]{1,512}")


@dataclass(frozen=True, slots=True)
class Collection:
    """One kind of remote object: its path, and the requests that read it."""

    path: str
    get: Operation
    search: Operation

    def item(self, object_id: str) -> str:
        """Return the path of one object; raises MLError REJECTED for what cannot be an id."""
        return f"{self.path}/{segment(object_id)}"


COLLECTIONS: Final = {
    "connector": Collection(f"{BASE}/connectors", Operation.GET_CONNECTOR, Operation.SEARCH_CONNECTORS),
    "group": Collection(f"{BASE}/model_groups", Operation.GET_GROUP, Operation.SEARCH_GROUPS),
    "model": Collection(f"{BASE}/models", Operation.GET_MODEL, Operation.SEARCH_MODELS),
}
"""By the names that the ports use for the kinds."""


def predict(model_id: str, request: Mapping[str, Any]) -> str:
    """Return the path for a prediction: only at those of the algorithms does the server see texts.

    At the model's own path it reads `parameters` alone (RestMLPredictionAction; 2.19, 3.6 seen).
    """
    if "query_text" in request:
        return f"{BASE}/_predict/text_similarity/{segment(model_id)}"
    if "text_docs" in request:
        return f"{BASE}/_predict/text_embedding/{segment(model_id)}"
    return f"{COLLECTIONS['model'].item(model_id)}/_predict"


def segment(object_id: str) -> str:
    """Return an id as one segment of a path; ids come from specs too, so nothing may lead elsewhere."""
    if _ID.fullmatch(object_id) is None:
        raise MLError(
            MLCode.REJECTED, "this is not an id of an ML Commons object: letters, digits, - and _ only"
        )
    return quote(object_id, safe="")
