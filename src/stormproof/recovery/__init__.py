"""What to do about a failure: pipelines of strategies for sync functions, coroutines and streams.

```python
pipeline = Pipeline(
    Fallback(value="Ask me again later."),  # answers when all else failed
    Deadline(30),  # over everything inside: waits, attempts, what they call
    Retry(),  # again, while the error says that it may help
    CircuitBreaker("openai"),  # leaves a dead dependency alone
    Deadline(10),  # over each attempt, so that a hung one counts as a failure
)
```
"""

from stormproof.recovery.batch import (
    Batch,
    ItemFailure,
    ItemOutcome,
    ItemSuccess,
    agather,
    gather,
)
from stormproof.recovery.circuits.break_length import GrowingBreak
from stormproof.recovery.circuits.breaker import CircuitBreaker
from stormproof.recovery.circuits.circuit import CircuitState
from stormproof.recovery.circuits.opening_rules import (
    ConsecutiveFailures,
    FailureRate,
    SlowCallRate,
)
from stormproof.recovery.circuits.sliding_window import LastCalls
from stormproof.recovery.classification import ErrorFilter
from stormproof.recovery.clock import Clock, Timer, current_clock
from stormproof.recovery.deadline import Deadline, remaining
from stormproof.recovery.events import (
    AttemptFailed,
    CallRejected,
    CallWaited,
    ChaosEffect,
    ChaosInjected,
    CircuitClosed,
    CircuitFollowed,
    CircuitHalfOpened,
    CircuitOpened,
    DeadlinePassed,
    Event,
    FailedOver,
    FallbackUsed,
    GiveUpReason,
    HedgeStarted,
    HedgeWon,
    IdleTimeoutPassed,
    LimitChanged,
    Listener,
    ListenerFailed,
    RetryGaveUp,
    RetryScheduled,
    StoreLost,
    StoreRegained,
    StreamRestarted,
    StreamResumed,
    ThreadFreed,
    ThreadPinned,
    UsageUnknown,
    publish,
    subscribe,
)
from stormproof.recovery.faults.chaos import chaos
from stormproof.recovery.faults.inject import Inject
from stormproof.recovery.hedging.hedge import Hedge, LatencyQuantile
from stormproof.recovery.keys.per_key import PerKey
from stormproof.recovery.limits.adaptive_limit import AdaptiveLimit
from stormproof.recovery.limits.bulkhead import Bulkhead
from stormproof.recovery.limits.limit_algorithms import AIMD, Gradient
from stormproof.recovery.limits.priority import Priority, current_priority, prioritized
from stormproof.recovery.limits.quota import Quota
from stormproof.recovery.limits.rate_limit import RateLimit
from stormproof.recovery.pipeline import Pipeline
from stormproof.recovery.retries.attempts import Attempt, attempts
from stormproof.recovery.retries.budget import RetryBudget
from stormproof.recovery.retries.retry import Retry
from stormproof.recovery.sharing.store import Store
from stormproof.recovery.strategy import Site, Strategy
from stormproof.recovery.streams.delivery import Reset
from stormproof.recovery.streams.idle_timeout import IdleTimeout
from stormproof.recovery.streams.restart import Restart
from stormproof.recovery.streams.resume import Resume
from stormproof.recovery.targets.failover import Failover
from stormproof.recovery.targets.fallback import Fallback
from stormproof.recovery.targets.target import Target, TargetHealth, is_breakdown
from stormproof.recovery.targets.target_order import FailoverOrder
from stormproof.recovery.threads import WorkerThreads

__all__ = [
    "AIMD",
    "AdaptiveLimit",
    "Attempt",
    "AttemptFailed",
    "Batch",
    "Bulkhead",
    "CallRejected",
    "CallWaited",
    "ChaosEffect",
    "ChaosInjected",
    "CircuitBreaker",
    "CircuitClosed",
    "CircuitFollowed",
    "CircuitHalfOpened",
    "CircuitOpened",
    "CircuitState",
    "Clock",
    "ConsecutiveFailures",
    "Deadline",
    "DeadlinePassed",
    "ErrorFilter",
    "Event",
    "FailedOver",
    "Failover",
    "FailoverOrder",
    "FailureRate",
    "Fallback",
    "FallbackUsed",
    "GiveUpReason",
    "Gradient",
    "GrowingBreak",
    "Hedge",
    "HedgeStarted",
    "HedgeWon",
    "IdleTimeout",
    "IdleTimeoutPassed",
    "Inject",
    "ItemFailure",
    "ItemOutcome",
    "ItemSuccess",
    "LastCalls",
    "LatencyQuantile",
    "LimitChanged",
    "Listener",
    "ListenerFailed",
    "PerKey",
    "Pipeline",
    "Priority",
    "Quota",
    "RateLimit",
    "Reset",
    "Restart",
    "Resume",
    "Retry",
    "RetryBudget",
    "RetryGaveUp",
    "RetryScheduled",
    "Site",
    "SlowCallRate",
    "Store",
    "StoreLost",
    "StoreRegained",
    "Strategy",
    "StreamRestarted",
    "StreamResumed",
    "Target",
    "TargetHealth",
    "ThreadFreed",
    "ThreadPinned",
    "Timer",
    "UsageUnknown",
    "WorkerThreads",
    "agather",
    "attempts",
    "chaos",
    "current_clock",
    "current_priority",
    "gather",
    "is_breakdown",
    "prioritized",
    "publish",
    "remaining",
    "subscribe",
]
