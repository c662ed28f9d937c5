"""Values put back where a model has written their placeholders, as the text comes in."""

from stormproof.reflex.pii.json_text import escape
from stormproof.reflex.pii.placeholders import WRITTEN, Placeholders


class Restoring:
    """Puts values back into one text; holds back only what may become a placeholder.

    Args:
        placeholders: What may stand there.
        json: Whether values are written in strings of JSON.
    """

    def __init__(self, placeholders: Placeholders, *, json: bool) -> None:
        self._placeholders = placeholders
        self._json = json
        self._before = ""
        self._held = ""

    def push(self, text: str) -> str:
        """Take a piece, and return what is sure by now."""
        known = self._before + self._held + text
        return self._restored(known, self._placeholders.settled(known, len(self._before)))

    def rest(self) -> str:
        """Return what is left when no piece comes any more."""
        if not self._held:
            return ""
        known = self._before + self._held
        return self._restored(known, len(known))

    def _restored(self, known: str, end: int) -> str:
        """Return what is written up to a place, and remember the rest, and what stood before it."""
        seen = len(self._before)
        self._before, self._held = known[max(end - 1, 0) : end], known[end:]
        if "_" not in known:  # which every placeholder has
            return known[seen:end]
        parts = []
        for match in WRITTEN.finditer(known, seen, end):
            value = self._placeholders.value(match[0])
            if value is not None:
                parts += [known[seen : match.start()], escape(value) if self._json else value]
                seen = match.end()
        return "".join([*parts, known[seen:end]])
