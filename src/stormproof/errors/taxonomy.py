"""What kinds of error there are, and how bad one is."""

from enum import IntEnum, StrEnum


class Category(StrEnum):
    """The family an error belongs to: who has to act."""

    CLIENT = "client"
    RESOURCE = "resource"
    PLATFORM = "platform"
    EXTERNAL = "external"


class Severity(IntEnum):
    """How loudly an error should be heard; the numbers are those of ``logging``."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50
