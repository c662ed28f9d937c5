"""What is used up for now: try later, or elsewhere."""

from collections.abc import Sequence

from stormproof.errors.fields import Internal
from stormproof.errors.root import StormproofError
from stormproof.errors.taxonomy import Category, Severity


class ResourceError(StormproofError):
    """Something is used up or switched off for now."""

    code = "RESOURCE_ERROR"
    http_status = 503
    category = Category.RESOURCE
    severity = Severity.WARNING
    retriable = True
    template = "a resource is exhausted"
    remedy = "Try again later, or elsewhere."


class OutOfBlocks(ResourceError):
    """The KV cache has fewer free blocks than the request needs now."""

    code = "OUT_OF_BLOCKS"
    template = "out of KV cache blocks: {needed} needed, {free} free"
    remedy = "Wait for running requests to finish, or give the engine more blocks."

    needed: int
    free: int


class CapacityExceeded(ResourceError):
    """A queue or a pool is full."""

    code = "CAPACITY_EXCEEDED"
    template = "no capacity: {resource} is full at {limit}"
    remedy = "Wait for retry_after seconds, send less at once, or raise the limit."

    resource: str
    limit: int


class ArmUnavailable(ResourceError):
    """No healthy arm has the capabilities that the step needs."""

    code = "ARM_UNAVAILABLE"
    severity = Severity.ERROR
    template = "no arm available with capabilities: {required_capabilities}"
    remedy = "Register an arm with these capabilities, or wait for one to recover."

    required_capabilities: Sequence[str]


class RateLimitExceeded(ResourceError):
    """Too many requests or tokens in a window of time, here or at a provider."""

    code = "RATE_LIMIT_EXCEEDED"
    http_status = 429
    template = "rate limit exceeded"
    remedy = "Wait for retry_after seconds; spread the load, or ask for a higher limit."

    limit: float | None = None
    window: float | None = None
    provider: str | None = None
    reason: str | None = None
    headers: Internal[str | None] = None

    def describe(self) -> str:
        """Say whose limit it is and how high, as far as known."""
        whose = f"{self.provider} " if self.provider else ""
        window = f" per {self.window:g}s" if self.window else ""
        limit = f": {self.limit:g} requests{window}" if self.limit is not None else ""
        reason = f" ({self.reason})" if self.reason else ""
        return f"{whose}{self.template}{limit}{reason}"


class QuotaExhausted(ResourceError):
    """A paid quota or budget is spent; waiting does not bring it back."""

    code = "QUOTA_EXHAUSTED"
    http_status = 429
    severity = Severity.ERROR
    retriable = False
    template = "quota exhausted at {provider}"
    remedy = "Raise the budget or the plan, or use another provider."

    provider: str
    reason: str | None = None


class BudgetExceeded(ResourceError):
    """What may be spent in a day or a month does not suffice for the call."""

    code = "BUDGET_EXCEEDED"
    http_status = 429
    retriable = False
    template = "what is left of the {period}'s budget ({budget}) does not suffice"
    remedy = "Wait for retry_after seconds, when a new budget begins, or ask for a higher one."

    budget: str
    period: str
    limit: float | None = None


class ServiceUnavailable(ResourceError):
    """A service is not answering for now: starting, draining, overloaded or switched off."""

    code = "SERVICE_UNAVAILABLE"
    template = "service unavailable: {reason}"
    remedy = "Try again after retry_after seconds, or elsewhere."

    reason: str


class CircuitOpen(ServiceUnavailable):
    """Calls to a failing dependency are stopped until it has had time to recover."""

    code = "CIRCUIT_OPEN"
    template = "circuit {circuit!r} is open"
    remedy = "Wait for retry_after seconds, or use a fallback; look at why the dependency fails."

    circuit: str
    reason: str = "circuit open"


class DiskFull(ResourceError):
    """No space, or no quota, is left where data must be written."""

    code = "DISK_FULL"
    http_status = 507
    severity = Severity.CRITICAL
    template = "no space left to {operation}"
    remedy = "Free space on the file system, or raise the quota."

    operation: str = "write"
    path: Internal[str | None] = None


class OutOfMemory(ResourceError):
    """Main or accelerator memory is exhausted."""

    code = "OUT_OF_MEMORY"
    severity = Severity.CRITICAL
    template = "out of {device} memory"
    remedy = "Lower the number of blocks or the batch, or use a smaller model."

    device: str = "main"
