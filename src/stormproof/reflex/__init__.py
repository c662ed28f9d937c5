"""What needs no model: stages that look at a request before a model does, in microseconds."""

from stormproof.reflex.admission import Admission
from stormproof.reflex.budgets.ledger import Balances, Ledger, LocalLedger
from stormproof.reflex.budgets.quotes import Quote, quotes
from stormproof.reflex.budgets.shared_ledger import SharedLedger
from stormproof.reflex.budgets.spending import Spending
from stormproof.reflex.budgets.stage import BudgetStage, Unpriced
from stormproof.reflex.cache_use import CacheUse
from stormproof.reflex.caller import Caller
from stormproof.reflex.events import (
    Look,
    PriceUnknown,
    StageFailed,
    StageOutcome,
    StagesEnded,
)
from stormproof.reflex.injection.events import InjectionFound
from stormproof.reflex.injection.finding import Attack, Disguise, InjectionSeverity
from stormproof.reflex.injection.stage import InjectionAction, InjectionStage
from stormproof.reflex.limits.applying import Limits
from stormproof.reflex.limits.gauges import Gauges, LocalGauges
from stormproof.reflex.limits.limit_settings import LimitSettings
from stormproof.reflex.limits.shared_gauges import SharedGauges
from stormproof.reflex.limits.stage import LimitsStage
from stormproof.reflex.limits.subject import Scope, Subject
from stormproof.reflex.line import OnFailure, Reflex, Step
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
    "Attack",
    "Balances",
    "BudgetStage",
    "CacheUse",
    "Call",
    "Caller",
    "Changed",
    "Companion",
    "Disguise",
    "Ending",
    "Gauges",
    "InjectionAction",
    "InjectionFound",
    "InjectionSeverity",
    "InjectionStage",
    "Ledger",
    "LimitSettings",
    "Limits",
    "LimitsStage",
    "LocalGauges",
    "LocalLedger",
    "Look",
    "OnFailure",
    "Outcome",
    "Passage",
    "Passed",
    "PiiAction",
    "PiiFound",
    "PiiPolicy",
    "PiiStage",
    "PriceUnknown",
    "Quote",
    "Reflex",
    "Rejected",
    "Request",
    "Scope",
    "SharedGauges",
    "SharedLedger",
    "Spending",
    "Stage",
    "StageFailed",
    "StageOutcome",
    "StagesEnded",
    "Step",
    "Subject",
    "Unpriced",
    "passages",
    "quotes",
]
