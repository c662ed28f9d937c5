"""Findings in their places, for a terminal."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from stormproof.reflex.inspection import Spot

_MOST: Final = 200
_AROUND: Final = 40
_LONGEST: Final = 60
"""Characters of a finding that are shown, and of what is around it."""

_UNSEEN: Final = dict.fromkeys(
    (
        *(*range(32), *range(127, 160)),
        *(*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF),
    ),
    "\N{REPLACEMENT CHARACTER}",
)
"""What would steer the terminal, or hide from its reader."""


class Lines:
    """The lines of a text.

    Args:
        text: That.
    """

    def __init__(self, text: str) -> None:
        self._starts = [0, *(end.end() for end in re.finditer("\n", text))]
        self._length = len(text)

    def place(self, at: int) -> tuple[int, int]:
        """Return the line and the column of a character, both from 1."""
        line = bisect_right(self._starts, at)
        return line, at - self._starts[line - 1] + 1

    def around(self, at: int) -> tuple[int, int]:
        """Return where the line of a character begins, and where it ends."""
        line = bisect_right(self._starts, at)
        end = self._starts[line] - 1 if line < len(self._starts) else self._length
        return self._starts[line - 1], end


def shown(name: str, text: str, spots: "Sequence[Spot]", *, show: bool) -> RenderableType:
    """Return what was found, each in its place.

    Args:
        name: What the text is called.
        text: That.
        spots: What was found.
        show: Whether values are shown; otherwise they are masked.
    """
    from stormproof.reflex.inspection import masked  # noqa: PLC0415 - an extra

    if not spots:
        return Text(f"{name}: nothing was found", "green")
    lines = Lines(text)
    seen = text if show else masked(text, spots)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for column in ("place", "kind", "excerpt"):
        table.add_column(column, no_wrap=column != "excerpt", overflow="fold")
    for spot in spots[:_MOST]:
        line, column_number = lines.place(spot.start)
        place = Text(f"{line}:{column_number}", "dim")
        table.add_row(place, _kind(spot), _excerpt(seen, spot, lines.around(spot.start)))
    return Group(Text(name, "bold"), table, *_more(spots), _sum(spots))


def _kind(spot: "Spot") -> Text:
    style = "bold red" if spot.private else "bold magenta"
    return Text.assemble((spot.kind, style), (f" {spot.about}" if spot.about else "", "dim"))


def _excerpt(seen: str, spot: "Spot", line: tuple[int, int]) -> Text:
    """Return what is found, and what is around it, as far as it stands on one line."""
    begin, end = line
    start, stop = max(begin, spot.start - _AROUND), min(end, spot.start + _LONGEST, spot.end)
    after = min(end, stop + _AROUND) if stop == min(spot.end, end) else stop
    style = "reverse red" if spot.private else "reverse magenta"
    return Text.assemble(
        ("…" if start > begin else "", "dim"),
        _printable(seen[start : spot.start]),
        (_printable(seen[spot.start : stop]), style),
        ("…" if stop < spot.end else "", "dim"),
        _printable(seen[stop:after]) if stop == spot.end else "",
        ("…" if after < end else "", "dim"),
    )


def _printable(text: str) -> str:
    return text.replace("\t", " ").translate(_UNSEEN)


def _more(spots: "Sequence[Spot]") -> Iterator[Text]:
    if len(spots) > _MOST:
        yield Text(f"and {len(spots) - _MOST} more", "dim")


def _sum(spots: "Sequence[Spot]") -> Text:
    counts = Counter(spot.kind for spot in spots)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    return Text(f"{len(spots)} finding{'' if len(spots) == 1 else 's'}: {kinds}", "bold")
