"""The states that a model can be in, by the names of `MLModelState` (ml-commons)."""

from __future__ import annotations

DEPLOYED = "DEPLOYED"
DEPLOYING = "DEPLOYING"
PARTIALLY_DEPLOYED = "PARTIALLY_DEPLOYED"
DEPLOY_FAILED = "DEPLOY_FAILED"
UNDEPLOYED = "UNDEPLOYED"
REGISTERED = "REGISTERED"

LOADED = frozenset({DEPLOYED, PARTIALLY_DEPLOYED, DEPLOYING})
DOWN = frozenset({REGISTERED, UNDEPLOYED, DEPLOY_FAILED})
"""No node answers for it. A deploy that an undeploy overtakes ends in DEPLOY_FAILED at a sync."""
