"""What is found: an attempt to make a model obey a text."""

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Attack(StrEnum):
    """What a hostile text is after."""

    INSTRUCTION_OVERRIDE = "instruction_override"
    PROMPT_EXTRACTION = "prompt_extraction"
    JAILBREAK = "jailbreak"
    TEMPLATE_FORGERY = "template_forgery"
    EXFILTRATION = "exfiltration"
    TOOL_MISUSE = "tool_misuse"
    INDIRECT_INJECTION = "indirect_injection"


class InjectionSeverity(IntEnum):
    """How sure it is that a text is hostile, and how much harm it would do."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class Disguise(StrEnum):
    """What a text was hidden in."""

    ENCODED = "encoded"
    MARKED_UP = "marked_up"
    INVISIBLE = "invisible"
    ROT13 = "rot13"
    REVERSED = "reversed"
    SPELLED = "spelled"


class Injection(NamedTuple):
    """One attempt, without its words.

    Attributes:
        attack: What it is after.
        severity: As it stands there: less if quoted, explained, or in a listing of code.
        start: Where it begins, in characters of the text; for what was encoded, the encoded run.
        end: Where it ends.
        disguise: What it was hidden in; None if it is to be read by anybody.
    """

    attack: Attack
    severity: InjectionSeverity
    start: int
    end: int
    disguise: Disguise | None = None
