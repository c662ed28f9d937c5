"""The figures of engines that matter most, as a picture."""

import statistics
from collections.abc import Sequence
from typing import Final

from engine_peers.bars import Bar, Panel
from engine_peers.row import DECODE, EIGHT, FIRST, MIXED, Figure, Row

_TITLES: Final = (
    (MIXED, "32 mixed requests at once: output tokens/s"),
    (EIGHT, "8 requests at once: output tokens/s"),
    (DECODE, "1 request: tokens/s after the first"),
    (FIRST, "1 request: ms to the first of 128 + 128 tokens (less is better)"),
)


def panels(rows: Sequence[Row]) -> list[Panel]:
    """Return what to draw."""
    return [
        Panel(title, [_bar(row, figure) for row in rows], less_is_better=figure is FIRST)
        for figure, title in _TITLES
    ]


def _bar(row: Row, figure: Figure) -> Bar:
    value = statistics.median(figure.values(row))
    return Bar(f"{row.name}{' (HTTP)' if row.over_http else ''}", value, f"{value:,.0f}")
