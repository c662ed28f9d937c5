"""Figures of load as Markdown."""

from collections.abc import Sequence

from engine_peers.readme import markdown_table
from gateway_peers.row import ADDED, FIGURES, Figure, Row


def table(rows: Sequence[Row]) -> str:
    """Return one line a gateway."""
    head = ["", *(figure.title for figure in FIGURES), "memory, MiB"]
    return markdown_table(1, head, map(_cells, rows))


def _cells(row: Row) -> list[str]:
    memory = f"{row.memory >> 20:,}" if row.memory else ""
    return [row.name, *(figure.cell(row) for figure in FIGURES), memory]


def added(floor: Row, rows: Sequence[Row]) -> str:
    """Return what gateways add to the times of those who ask without one."""
    head = ["added, ms", *(_short(figure) for figure in ADDED)]
    lines = [[row.name, *(figure.added(row, floor) for figure in ADDED)] for row in rows]
    return markdown_table(1, head, lines)


def ratios(ours: Row, others: Sequence[Row]) -> str:
    """Return how many times theirs ours are."""
    head = ["times", *(_short(figure) for figure in FIGURES)]
    lines = [
        [f"{ours.name} / {other.name}", *(figure.ratio(ours, other) for figure in FIGURES)]
        for other in others
    ]
    return markdown_table(1, head, lines)


def _short(figure: Figure) -> str:
    return figure.title.removesuffix(", ms")
