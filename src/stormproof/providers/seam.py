"""Where the rest of an answer joins what was delivered of it: nothing twice, nothing lost.

A model that is asked to go on often begins with the last words again, or with all of them. What it
repeats is taken off. Whether it does can only be told once it says something else; until then its
words are held back.
"""

from typing import Final

LEAST: Final = 4
"""Characters that make a repetition: words may begin as the last one ended by chance."""


class Seam:
    """Takes off the beginning of the rest what the end of the delivered text holds already.

    Args:
        delivered: The text that the client has.
        least: Characters below which the same text twice is taken for chance, unless it is white.
    """

    def __init__(self, delivered: str, *, least: int = LEAST) -> None:
        self._delivered = delivered
        self._least = least
        self._held: str | None = ""

    def push(self, text: str) -> str:
        """Return what of the rest is new, as far as that is decided."""
        if self._held is None:
            return text
        self._held += text
        return "" if self._may_repeat_more() else self.flush()

    def flush(self) -> str:
        """Return what is still held, now that no more comes."""
        held, self._held = self._held or "", None
        return held[self._repeated(held) :]

    def _may_repeat_more(self) -> bool:
        """Say whether what is held stands in the delivered text, with more behind it."""
        held, delivered = self._held or "", self._delivered
        return 0 <= delivered.find(held) < len(delivered) - len(held)

    def _repeated(self, text: str) -> int:
        length = overlap(self._delivered, text)
        return length if length >= self._least or text[:length].isspace() else 0


def overlap(before: str, after: str) -> int:
    """Return the length of the longest beginning of ``after`` with which ``before`` ends.

    By the algorithm of Knuth, Morris and Pratt (https://doi.org/10.1137/0206024): in the time that
    it takes to read both.
    """
    borders = _borders(after)
    matched = 0
    for letter in before[max(len(before) - len(after), 0) :]:
        while matched and (matched == len(after) or after[matched] != letter):
            matched = borders[matched - 1]
        matched += matched < len(after) and after[matched] == letter
    return matched


def _borders(text: str) -> list[int]:
    """Return, for each beginning of a text, how much of it its own end repeats."""
    borders = [0] * len(text)
    for place in range(1, len(text)):
        length = borders[place - 1]
        while length and text[place] != text[length]:
            length = borders[length - 1]
        borders[place] = length + (text[place] == text[length])
    return borders
