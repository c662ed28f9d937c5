"""One address of a scripted provider."""

import time
from typing import Final

from stormproof.testing.provider.asked import Asked
from stormproof.testing.provider.replies import Speaker
from stormproof.testing.provider.steps import Answer, Script, Step


class ScriptedTarget:
    """What is asked there, and what it does about that.

    Args:
        url: What clients take for the base of OpenAI's API, and Stormproof for Anthropic's.
        steps: What to do on the first call, the second, and so on; the last step repeats. A
            function decides upon the request.
        says: Who speaks for it.

    Attributes:
        url: The same.
        says: The same.
        calls: How often it was called.
        abandoned: How many callers left before they had their answer.
        abandoned_at: When the last of those did, by ``time.monotonic``.
        body: What the last call sent.
    """

    def __init__(self, url: str, *steps: Step | Script, says: Speaker | None = None) -> None:
        self.url: Final = url
        self.says: Final = says
        self.calls = 0
        self.abandoned = 0
        self.abandoned_at: float | None = None
        self.body = b""
        self._steps = steps or (Answer(),)

    def take(self, asked: Asked) -> Step:
        """Count a call; return what to do about it."""
        step = self._steps[min(self.calls, len(self._steps) - 1)]
        self.calls += 1
        self.body = asked.body
        return step(asked) if callable(step) else step

    def abandon(self) -> None:
        """Count a caller who left."""
        self.abandoned += 1
        self.abandoned_at = time.monotonic()
