"""What becomes of a stream that breaks off."""

from enum import StrEnum


class StreamPolicy(StrEnum):
    """What becomes of a stream that breaks off."""

    RESUME = "resume"
    """Somebody is asked for the rest."""

    RESTART = "restart"
    """Somebody is asked for all of it again, and the client is told that what it has is void."""

    FAIL = "fail"
    """It ends with an error."""
