"""Where the rest of an answer joins what was delivered of it: nothing twice, nothing lost.

A model that is asked to go on often begins with the last words again, or with all of them, and not
always with the same white space. What it repeats is taken off. Whether it does can only be told
once it says something else; until then its words are held back.
"""

import string
from typing import Final

LEAST: Final = 6
"""Letters that make a repetition that nobody asked for: some words are said twice."""

_OPENING: Final = string.whitespace + ".…"
"""What some models put before the words from which they go on."""


class Seam:
    """Takes off the beginning of the rest what the end of the delivered text holds already.

    White space does not count; what stands on both sides of the seam is taken for one. Text that
    has been repeating itself may go on doing so.

    Args:
        delivered: The text that the client has.
        asked: The end of it with which the model was asked to begin, if it was.
        whole: Whether only all of the text counts as a repetition, and not its end.
    """

    def __init__(self, delivered: str, *, asked: str = "", whole: bool = False) -> None:
        self._letters = _letters(delivered)
        self._asked = _letters(asked)
        self._least = max(LEAST, len(self._letters) if whole else 0)
        self._space = delivered[len(delivered.rstrip()) :]
        self._held: list[str] | None = []
        self._said = ""
        self._place = 0  # where its letters stand in the delivered text, the first such place

    @property
    def decided(self) -> bool:
        """Whether it is known what is repeated: then all that comes is new."""
        return self._held is None

    def push(self, text: str) -> str:
        """Return what of the rest is new, as far as that is decided."""
        if self._held is None:
            return text
        self._held.append(text)
        before, self._said = self._said, self._said + _letters(text, begun=bool(self._said))
        return "" if self._may_repeat_more(len(before)) else self.flush()

    def flush(self) -> str:
        """Return what is still held, now that no more comes."""
        if self._held is None:
            return ""
        held, self._held = "".join(self._held), None
        return held[_place_behind(held, self._repeated()) :].removeprefix(self._space)

    def _may_repeat_more(self, known: int) -> bool:
        """Say whether what is held may be the beginning of a repetition.

        Args:
            known: How many of its letters were found before, at ``_place``.
        """
        said, letters = self._said, self._letters
        if self._place >= 0 and not letters.startswith(said[known:], self._place + known):
            self._place = letters.find(said, self._place + 1)
        repeats = 0 <= self._place <= len(letters) - max(self._least, len(said))
        return repeats or not said or self._asked.startswith(said)

    def _repeated(self) -> int:
        """Return how many letters of what is held are repeated."""
        asked, said = self._asked, self._said
        if asked and said.startswith(asked):
            return len(asked)
        if len(said) >= LEAST and asked.startswith(said):
            return len(said)  # it was not let go on
        length = overlap(self._letters, said)
        pattern = length - borders(said[:length])[-1] if length else 0
        return length if length >= self._least and length < 2 * pattern else 0


def _letters(text: str, *, begun: bool = False) -> str:
    """Return what counts of a text, or of its next part."""
    return "".join((text if begun else text.lstrip(_OPENING)).split())


def _place_behind(text: str, letters: int) -> int:
    """Return where so many letters of a text end."""
    place = len(text) - len(text.lstrip(_OPENING)) if letters else 0
    while letters:
        letters -= not text[place].isspace()
        place += 1
    return place


def overlap(before: str, after: str) -> int:
    """Return the length of the longest beginning of ``after`` with which ``before`` ends.

    By the algorithm of Knuth, Morris and Pratt (https://doi.org/10.1137/0206024): in the time that
    it takes to read both.
    """
    known = borders(after)
    matched = 0
    for letter in before[max(len(before) - len(after), 0) :]:
        while matched and (matched == len(after) or after[matched] != letter):
            matched = known[matched - 1]
        matched += matched < len(after) and after[matched] == letter
    return matched


def borders(text: str) -> list[int]:
    """Return, for each beginning of a text, how much of it its own end repeats."""
    lengths = [0] * len(text)
    for place in range(1, len(text)):
        length = lengths[place - 1]
        while length and text[place] != text[length]:
            length = lengths[length - 1]
        lengths[place] = length + (text[place] == text[length])
    return lengths
