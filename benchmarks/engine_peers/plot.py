"""The figures as a picture: one bar an engine, ours in colour, the better one on top."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl

from engine_peers.row import DECODE, EIGHT, FIRST, MIXED, Figure, Row

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

PANELS: Final = (
    (MIXED, "32 mixed requests at once: output tokens/s"),
    (EIGHT, "8 requests at once: output tokens/s"),
    (DECODE, "1 request: tokens/s after the first"),
    (FIRST, "1 request: ms to the first of 128 + 128 tokens (less is better)"),
)
OURS: Final = "#3f51b5"
THEIRS: Final = "#b0bec5"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw what matters most."""
    mpl.rcParams.update({"svg.hashsalt": "stormproof", "font.size": 8, "svg.fonttype": "none"})
    size = (11, 2 * (0.27 * len(rows) + 0.6))
    figure, grid = plt.subplots(2, 2, figsize=size, layout="constrained")
    for axes, (what, title) in zip(grid.flat, PANELS, strict=True):
        _draw_panel(axes, what, title, rows)
    figure.savefig(path, metadata={"Date": None})


def _draw_panel(axes: Axes, figure: Figure, title: str, rows: Sequence[Row]) -> None:
    bars = [(statistics.median(figure.values(row)), row) for row in rows]
    bars.sort(key=lambda bar: bar[0], reverse=figure is not FIRST)
    values = [value for value, _ in bars]
    names = [f"{row.name}{' (HTTP)' if row.over_http else ''}" for _, row in bars]
    colors = [OURS if row.name.startswith("stormproof") else THEIRS for _, row in bars]
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_xticks([])
    axes.set_xlim(0, 1.15 * max(values))
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    drawn = axes.barh(names, values, color=colors)
    axes.bar_label(drawn, [f"{value:,.0f}" for value in values], padding=3)
    axes.invert_yaxis()
