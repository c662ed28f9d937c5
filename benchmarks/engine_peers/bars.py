"""Figures as a picture: panels of bars, one for each that was measured, the best one on top."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

OURS: Final = "#3f51b5"
THEIRS: Final = "#b0bec5"
_COLUMNS: Final = 2
_SPAN: Final = 3.0
"""How far a logarithmic scale goes on beyond its longest bar, for the label."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What was measured of one.

    Attributes:
        name: Who it is; ours is in colour.
        value: How long the bar is.
        label: The value as it is shown.
    """

    name: str
    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure of all.

    Attributes:
        title: What it is.
        bars: Of each that has it.
        less_is_better: Whether the shortest is the best.
        logarithmic: Whether they are too far apart for another scale.
    """

    title: str
    bars: Sequence[Bar]
    less_is_better: bool = False
    logarithmic: bool = False


def draw(panels: Sequence[Panel], path: Path) -> None:
    """Draw panels side by side, two in a line."""
    mpl.rcParams.update({"svg.hashsalt": "stormproof", "font.size": 8, "svg.fonttype": "none"})
    lines = -(-len(panels) // _COLUMNS)
    height = 0.27 * max(len(panel.bars) for panel in panels) + 0.6
    figure, grid = plt.subplots(lines, _COLUMNS, figsize=(11, lines * height), layout="constrained")
    for axes, panel in zip(grid.flat, panels, strict=True):
        _draw_panel(axes, panel)
    figure.savefig(path, metadata={"Date": None})


def _draw_panel(axes: Axes, panel: Panel) -> None:
    bars = sorted(panel.bars, key=lambda bar: bar.value, reverse=not panel.less_is_better)
    values = [bar.value for bar in bars]
    colors = [OURS if bar.name.startswith("stormproof") else THEIRS for bar in bars]
    axes.set_title(panel.title, loc="left", fontsize=9)
    if panel.logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(min(values) / _SPAN, max(values) * _SPAN)
    else:
        axes.set_xlim(0, 1.15 * max(values))
    axes.set_xticks([])
    axes.set_xticks([], minor=True)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    drawn = axes.barh([bar.name for bar in bars], values, color=colors)
    axes.bar_label(drawn, [bar.label for bar in bars], padding=3)
    axes.invert_yaxis()
