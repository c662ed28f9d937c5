"""A provider on a real socket that answers, and fails, as a script says.

It needs what ``stormproof[serve]`` installs, so `stormproof.testing` itself does not import it.
"""

from stormproof.testing.provider.asked import Api, Asked
from stormproof.testing.provider.embeddings_wire import vector_of
from stormproof.testing.provider.faults import FAULTS, Fault
from stormproof.testing.provider.replies import Reply, Said, Speaker, ToolCall, text_of
from stormproof.testing.provider.scripted_provider import ScriptedProvider
from stormproof.testing.provider.steps import (
    Answer,
    Break,
    Broken,
    Hang,
    Page,
    Refusal,
    Reset,
    Script,
    SlowHead,
    Step,
    every,
)
from stormproof.testing.provider.target import ScriptedTarget

__all__ = [
    "FAULTS",
    "Answer",
    "Api",
    "Asked",
    "Break",
    "Broken",
    "Fault",
    "Hang",
    "Page",
    "Refusal",
    "Reply",
    "Reset",
    "Said",
    "Script",
    "ScriptedProvider",
    "ScriptedTarget",
    "SlowHead",
    "Speaker",
    "Step",
    "ToolCall",
    "every",
    "text_of",
    "vector_of",
]
