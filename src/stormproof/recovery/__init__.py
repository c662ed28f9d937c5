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

from stormproof.recovery.adaptive_limit import AdaptiveLimit
from stormproof.recovery.attempts import Attempt, attempts
from stormproof.recovery.batch import (
    Batch,
    ItemFailure,
    ItemOutcome,
    ItemSuccess,
    agather,
    gather,
)
from stormproof.recovery.break_length import GrowingBreak
from stormproof.recovery.breaker import CircuitBreaker
from stormproof.recovery.budget import RetryBudget
from stormproof.recovery.bulkhead import Bulkhead
from stormproof.recovery.chaos import chaos
from stormproof.recovery.circuit import CircuitState
from stormproof.recovery.classification import ErrorFilter
from stormproof.recovery.clock import Clock, Timer
from stormproof.recovery.deadline import Deadline, remaining
from stormproof.recovery.delivery import Reset
from stormproof.recovery.events import (
    AttemptFailed,
    CallRejected,
    CallWaited,
    ChaosEffect,
    ChaosInjected,
    CircuitClosed,
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
    subscribe,
)
from stormproof.recovery.failover import Failover
from stormproof.recovery.fallback import Fallback
from stormproof.recovery.hedge import Hedge, LatencyQuantile
from stormproof.recovery.idle_timeout import IdleTimeout
from stormproof.recovery.inject import Inject
from stormproof.recovery.limit_algorithms import AIMD, Gradient
from stormproof.recovery.opening_rules import ConsecutiveFailures, FailureRate, SlowCallRate
from stormproof.recovery.per_key import PerKey
from stormproof.recovery.pipeline import Pipeline
from stormproof.recovery.priority import Priority, current_priority, prioritized
from stormproof.recovery.quota import Quota
from stormproof.recovery.rate_limit import RateLimit
from stormproof.recovery.restart import Restart
from stormproof.recovery.resume import Resume
from stormproof.recovery.retry import Retry
from stormproof.recovery.sliding_window import LastCalls
from stormproof.recovery.store import Store
from stormproof.recovery.strategy import Site, Strategy
from stormproof.recovery.target import Target, TargetHealth
from stormproof.recovery.target_order import FailoverOrder
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
    "current_priority",
    "gather",
    "prioritized",
    "remaining",
    "subscribe",
]
