"""Where answers lie: bytes by key, for a time."""

from typing import Protocol


class AnswerStore(Protocol):
    """Room for answers; what it cannot keep it forgets. Whatever it raises is a failed cache."""

    async def find(self, key: bytes) -> bytes | None:
        """Return what is kept under a key; None if nothing is, or its time is over."""
        ...

    async def keep(self, key: bytes, value: bytes, seconds: float) -> None:
        """Keep a value under a key for so long at most, in place of what was there."""
        ...

    async def aclose(self) -> None:
        """Let go of files and connections."""
        ...
