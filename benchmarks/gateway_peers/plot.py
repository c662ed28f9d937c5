"""The figures of load as a picture: one bar a gateway, ours in colour, the better one on top."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl

from gateway_peers.row import EVENTS, FIRST_16, LATENCY, RATE, Figure, Row

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

PANELS: Final = (
    (RATE, "64 clients: requests/s"),
    (EVENTS, "64 clients: events/s of streams"),
    (LATENCY, "1 client: ms for an answer (less is better)"),
    (FIRST_16, "16 clients: ms to the first token (less is better)"),
)
OURS: Final = "#3f51b5"
THEIRS: Final = "#b0bec5"
SPAN: Final = 3.0
"""How far the logarithmic scale goes on beyond the longest bar, for its label."""


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw what matters most."""
    mpl.rcParams.update({"svg.hashsalt": "stormproof", "font.size": 8, "svg.fonttype": "none"})
    size = (11, 2 * (0.27 * len(rows) + 0.6))
    figure, grid = plt.subplots(2, 2, figsize=size, layout="constrained")
    for axes, (what, title) in zip(grid.flat, PANELS, strict=True):
        _draw_panel(axes, what, title, rows)
    figure.savefig(path, metadata={"Date": None})


def _draw_panel(axes: Axes, figure: Figure, title: str, rows: Sequence[Row]) -> None:
    bars = [(statistics.median(figure.values(row)), row.name) for row in rows]
    bars.sort(reverse=figure.unit is None)
    values = [value for value, _ in bars]
    colors = [OURS if name == "stormproof" else THEIRS for _, name in bars]
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_xscale("log")
    axes.set_xlim(min(values) / SPAN, max(values) * SPAN)
    axes.set_xticks([])
    axes.set_xticks([], minor=True)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    drawn = axes.barh([name for _, name in bars], values, color=colors)
    axes.bar_label(drawn, [figure.shown(value) for value in values], padding=3)
    axes.invert_yaxis()
