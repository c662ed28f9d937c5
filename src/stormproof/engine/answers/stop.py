"""Ending an answer at a stop text that may be spread over several tokens."""


class StopFilter:
    """Lets text through up to the first stop text.

    The end of the text may be the beginning of a stop text: that much is held back until what
    follows decides, so nothing that was let through ever has to be taken back.

    Args:
        stop: The texts that end the answer; none of them is let through.
    """

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._stop = stop
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """Return what of the held and the new text can be let through."""
        if not self._stop:
            return text
        text = self._held + text
        cut = self._first_stop(text)
        self.stopped = cut is not None
        if cut is None:
            cut = len(text) - self._undecided(text)
        self._held = "" if self.stopped else text[cut:]
        return text[:cut]

    def flush(self) -> str:
        """Return what is still held, now that no more text will come."""
        held, self._held = self._held, ""
        return held

    def _first_stop(self, text: str) -> int | None:
        """Return where the stop text that is complete first begins.

        Not the one that begins first: the answer may not depend on how it was cut into pushes.
        """
        found = [(at + len(stop), at) for stop in self._stop if (at := text.find(stop)) >= 0]
        return min(found)[1] if found else None

    def _undecided(self, text: str) -> int:
        """Count the characters at the end of the text that may begin a stop text."""
        return max((overlap(text, stop) for stop in self._stop), default=0)


def overlap(text: str, stop: str) -> int:
    """Count the characters at the end of a text that may begin a stop text."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
