"""A provider on a real socket that answers, and fails, as a script says.

It needs what ``stormproof[serve]`` installs, so `stormproof.testing` itself does not import it.
"""

from stormproof.testing.provider.scripted_provider import ScriptedProvider
from stormproof.testing.provider.steps import (
    Answer,
    Break,
    Broken,
    Hang,
    Page,
    Refusal,
    Reset,
    SlowHead,
    Step,
)
from stormproof.testing.provider.target import ScriptedTarget
from stormproof.testing.provider.wire import text_of

__all__ = [
    "Answer",
    "Break",
    "Broken",
    "Hang",
    "Page",
    "Refusal",
    "Reset",
    "ScriptedProvider",
    "ScriptedTarget",
    "SlowHead",
    "Step",
    "text_of",
]
