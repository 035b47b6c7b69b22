"""A fake OpenSearch with ML Commons in the test's process: what the operator uses, odd behaviours first.

True to 2.19.1 and 3.6.0, whose answers it was written from (the shared contract runs against all three), and
to what the source of 3.7 and 3.9 adds: `provisioned_by` and ids chosen by the client. Left out: who may see
whose objects, several nodes that disagree, inline connectors, calls to the model service.
"""

from __future__ import annotations

from .fake import FakeMLCommons
from .faults import Fault, Hold

__all__ = ["FakeMLCommons", "Fault", "Hold"]
