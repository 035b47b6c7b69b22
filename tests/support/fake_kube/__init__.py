"""A fake Kubernetes API server in the test's process: enough of it for kopf and for the operator.

True to the real one (measured on kube-apiserver 1.36): versions and their conflicts, the status subresource,
generations, finalizers, paged lists, watches with replay. Left out: schemas of the spec, selectors, PUT,
server-side apply.
"""

from .fake import FakeKube
from .faults import Fault

__all__ = ["FakeKube", "Fault"]
