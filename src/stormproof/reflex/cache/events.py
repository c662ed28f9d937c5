"""What went wrong with kept answers, on the bus of the recovery floor."""

from dataclasses import dataclass
from typing import ClassVar

from stormproof.errors import CacheError, Severity
from stormproof.recovery import Event


@dataclass(frozen=True, kw_only=True)
class CacheFailed(Event):
    """A cache could not be asked, or what it had was damaged; the call went on without it.

    Attributes:
        error: Why.
    """

    severity: ClassVar[Severity] = Severity.WARNING
    error: CacheError


@dataclass(frozen=True, kw_only=True)
class CacheSetAside(Event):
    """The file of a cache was damaged: it was renamed, and a new one begun.

    Attributes:
        name: What the damaged file is called now.
    """

    severity: ClassVar[Severity] = Severity.ERROR
    name: str
