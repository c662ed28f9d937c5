"""The figures of gateways that matter most, as a picture."""

import statistics
from collections.abc import Sequence
from typing import Final

from engine_peers.bars import Bar, Panel
from gateway_peers.row import EVENTS, FIRST_16, LATENCY, RATE, Figure, Row

_TITLES: Final = (
    (RATE, "64 clients: requests/s"),
    (EVENTS, "64 clients: events/s of streams"),
    (LATENCY, "1 client: ms for an answer (less is better)"),
    (FIRST_16, "16 clients: ms to the first token (less is better)"),
)


def panels(rows: Sequence[Row]) -> list[Panel]:
    """Return what to draw: bars of those who have the figure."""
    return [
        Panel(
            title,
            [_bar(row, figure) for row in rows if figure.values(row)],
            less_is_better=figure.unit is not None,
            logarithmic=True,
        )
        for figure, title in _TITLES
        if any(map(figure.values, rows))
    ]


def _bar(row: Row, figure: Figure) -> Bar:
    value = statistics.median(figure.values(row))
    return Bar(row.name, value, figure.shown(value))
