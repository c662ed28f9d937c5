"""The figures as a picture: one bar a library, the shortest on top, on a logarithmic scale."""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import matplotlib as mpl

from recovery_peers.row import ENFORCED, REJECTION, RETRIED, STACK

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

GROUPS: Final = ("retry", "breaker", "rate limit", STACK, ENFORCED, REJECTION, RETRIED)
OURS: Final = "#3f51b5"
THEIRS: Final = "#b0bec5"
SHORTEST: Final = 10
LONGEST: Final = 2_000_000
"""Nanoseconds at the two ends of the scale."""

Medians = list[tuple[float, str]]


def draw(figures: Mapping[tuple[str, str], Mapping[bool, list[float]]], path: Path) -> None:
    """Draw the groups that matter most, sync on the left and async on the right."""
    heights = [
        max(len(_bars(figures, group, is_async=one)) for one in (False, True)) for group in GROUPS
    ]
    mpl.rcParams.update({"svg.hashsalt": "stormproof", "font.size": 8, "svg.fonttype": "none"})
    figure, grid = plt.subplots(
        len(GROUPS),
        2,
        figsize=(11, 0.27 * sum(heights) + 0.7 * len(GROUPS)),
        height_ratios=heights,
        layout="constrained",
    )
    for axes, group in zip(grid, GROUPS, strict=True):
        for one, is_async in zip(axes, (False, True), strict=True):
            _draw_group(one, group, _bars(figures, group, is_async=is_async), is_async=is_async)
    figure.savefig(path, metadata={"Date": None})


def _draw_group(axes: Axes, group: str, bars: Medians, *, is_async: bool) -> None:
    axes.set_title(f"{group}, {'async' if is_async else 'sync'}: ns", loc="left", fontsize=9)
    axes.set_xscale("log")
    axes.set_xlim(SHORTEST, LONGEST)  # the same in every group, so that bars compare
    axes.set_xticks([])
    axes.set_xticks([], minor=True)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    if not bars:
        axes.set_axis_off()
        return
    names = [name for _, name in bars]
    colors = [OURS if name.startswith("stormproof") else THEIRS for name in names]
    drawn = axes.barh(names, [value for value, _ in bars], color=colors)
    axes.bar_label(drawn, [f"{value:,.0f}" for value, _ in bars], padding=3)
    axes.invert_yaxis()


def _bars(
    figures: Mapping[tuple[str, str], Mapping[bool, list[float]]], group: str, *, is_async: bool
) -> Medians:
    return sorted(
        (statistics.median(cells[is_async]), who)
        for (of, who), cells in figures.items()
        if of == group and is_async in cells
    )
