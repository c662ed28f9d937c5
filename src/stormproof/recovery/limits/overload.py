"""Whether an error says that the callee has too much to do."""

from typing import Final

from stormproof.errors import (
    CapacityExceeded,
    CircuitOpen,
    DeadlineExceeded,
    OutOfBlocks,
    OutOfMemory,
    ProviderOverloaded,
    RateLimitExceeded,
    ServiceUnavailable,
)
from stormproof.recovery.classification import origin, verdict

_OVERLOAD: Final = (
    CapacityExceeded,
    DeadlineExceeded,
    OutOfBlocks,
    OutOfMemory,
    ProviderOverloaded,
    RateLimitExceeded,
    ServiceUnavailable,
)


def says_overload(error: Exception) -> bool:
    """Whether ``error``, or a member of it, says that less at once would have gone well.

    An open circuit does not: nobody was called.
    """
    error = origin(error)
    if isinstance(error, ExceptionGroup):
        return any(map(says_overload, error.exceptions))
    said = verdict(error)
    return isinstance(said, _OVERLOAD) and not isinstance(said, CircuitOpen)
