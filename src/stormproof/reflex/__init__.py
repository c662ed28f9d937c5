"""What needs no model: stages that look at a request before a model does, in microseconds."""

from stormproof.reflex.budgets.spending import Spending
from stormproof.reflex.cache_use import CacheUse
from stormproof.reflex.caller import Caller
from stormproof.reflex.events import Look, StageFailed, StageOutcome, StagesEnded
from stormproof.reflex.limits.limit_settings import LimitSettings
from stormproof.reflex.limits.subject import Scope, Subject
from stormproof.reflex.line import Admission, OnFailure, Reflex, Step
from stormproof.reflex.passages import Passage, passages
from stormproof.reflex.pii.events import PiiFound
from stormproof.reflex.pii.policy import PiiAction, PiiPolicy
from stormproof.reflex.pii.stage import PiiStage
from stormproof.reflex.stage import (
    Answered,
    Call,
    Changed,
    Companion,
    Ending,
    Outcome,
    Passed,
    Rejected,
    Request,
    Stage,
)

__all__ = [
    "Admission",
    "Answered",
    "CacheUse",
    "Call",
    "Caller",
    "Changed",
    "Companion",
    "Ending",
    "LimitSettings",
    "Look",
    "OnFailure",
    "Outcome",
    "Passage",
    "Passed",
    "PiiAction",
    "PiiFound",
    "PiiPolicy",
    "PiiStage",
    "Reflex",
    "Rejected",
    "Request",
    "Scope",
    "Spending",
    "Stage",
    "StageFailed",
    "StageOutcome",
    "StagesEnded",
    "Step",
    "Subject",
    "passages",
]
