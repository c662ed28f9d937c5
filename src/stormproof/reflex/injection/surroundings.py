"""What stands around an attack: who quotes one, explains one or lists code does not make one."""

import re
from bisect import bisect_right
from typing import Final

from stormproof.reflex.injection.tables import table

_NEAR: Final = 100
"""Characters before and after a place that are looked at."""

_TABLE: Final = table("surroundings")


def _quotation(opening: str, closing: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds a mark that is open before a place, and the one that closes it after."""
    within = f"[^{opening}{closing}\\n]*"
    outside, after = (r"(?<!\w)", r"(?!\w)") if opening == closing else ("", "")
    return re.compile(f"{outside}{opening}{within}$"), re.compile(f"{within}{closing}{after}")


_QUOTES: Final = [_quotation(opening, closing) for opening, closing in _TABLE["quotation_marks"]]

_INTRODUCED: Final = re.compile(
    rf"\b(?:{'|'.join(_TABLE['introducing'])})\b[^\w.!?\n]*$", re.IGNORECASE
)
_EXPLAINED: Final = re.compile(
    # Not within an address: example.com explains nothing.
    rf"(?<![\w@./])(?:{'|'.join(_TABLE['explaining'])})(?!\w*[@./]\w)"
    rf"|{'|'.join(_TABLE['without_spaces'])}",
    re.IGNORECASE,
)

_FENCE: Final = re.compile(r"^[ >]*(?:```|~~~)", re.MULTILINE)


class Surroundings:
    """A text in which something was found.

    Args:
        text: As it was written.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._fences = [fence.start() for fence in _FENCE.finditer(text)]

    def leniency(self, start: int, end: int) -> int:
        """Return by how many degrees something is less severe for standing where it does."""
        before = self._text[max(0, start - _NEAR) : start]
        after = self._text[end : end + _NEAR]
        listed = bisect_right(self._fences, start) % 2
        return listed + _quoted(before, after) + _explained(before, after)


def _quoted(before: str, after: str) -> bool:
    """Return whether it stands in quotation marks, and something else outside of them."""
    for opening, closing in _QUOTES:
        opened, closed = opening.search(before), closing.match(after)
        if opened and closed:
            outside = before[: opened.start()] + after[closed.end() :]
            return any(map(str.isalnum, outside))
    return False


def _explained(before: str, after: str) -> bool:
    return any((_INTRODUCED.search(before), _EXPLAINED.search(before), _EXPLAINED.search(after)))
