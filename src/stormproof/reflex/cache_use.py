"""What a caller wants of answers that were kept."""

from enum import StrEnum
from typing import Final

_LONGEST: Final = 1000
"""Characters of a header that are looked at."""


class CacheUse(StrEnum):
    """Which use of the cache a call may make, in the words of HTTP's ``Cache-Control``.

    By RFC 9111, section 5.2.1.
    """

    FULL = "full"
    REFRESH = "no-cache"
    """A model is to be asked; what it says may be kept."""

    NONE = "no-store"
    """Nor may what it says be kept."""

    @classmethod
    def asked_for(cls, cache_control: str | None) -> "CacheUse":
        """Return what a header ``Cache-Control`` of a request asks for; by default full use."""
        if cache_control is None:
            return cls.FULL
        words = cache_control[:_LONGEST].lower().split(",")
        said = {word.strip() for word in words}
        for use in (cls.NONE, cls.REFRESH):
            if use in said:
                return use
        return cls.FULL
