"""What ``stormproof top`` shows."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from stormproof.cli.top.figures import Figures, Percentiles
from stormproof.cli.top.look import Look

_SPARKS: Final = "▁▂▃▄▅▆▇█"
_BAR: Final = 24
_LABEL: Final = 15


class View:
    """The newest look at a server.

    Args:
        url: Which server.
        look: What was seen of it last, if anything was.
        outputs: Output tokens per second of late, the newest last.
        prompts: Prompt tokens per second, likewise.
        trouble: Why it cannot be seen now.
    """

    def __init__(
        self,
        url: str,
        look: Look | None,
        *,
        outputs: Sequence[float] = (),
        prompts: Sequence[float] = (),
        trouble: str | None = None,
    ) -> None:
        self._url = url
        self._look = look
        self._outputs = outputs
        self._prompts = prompts
        self._trouble = trouble

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out for the width there is."""
        parts: list[Text | Table] = [self._head()]
        if self._look:
            parts.append(self._table(self._look.figures, options.max_width))
        yield Group(*parts)

    def _head(self) -> Text:
        head = Text.assemble(("stormproof top", "bold"), f"  {printable(self._url)}  ")
        if self._trouble is not None:
            head.append(printable(self._trouble), "bold red")
        elif self._look:
            head.append(printable(self._look.state), "green" if self._look.ready else "yellow")
        else:
            head.append("connecting", "dim")
        return head

    def _table(self, figures: Figures, width: int) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(style="dim", no_wrap=True, width=_LABEL)
        table.add_column(no_wrap=True, overflow="ellipsis")
        room = max(width - _LABEL - 18, 0)
        output, prompt = figures.output_tokens_per_second, figures.prompt_tokens_per_second
        for label, value in (
            ("Output", Text(f"{output:9,.0f} tok/s  {sparkline(self._outputs, room)}", "cyan")),
            ("Prompts", Text(f"{prompt:9,.0f} tok/s  {sparkline(self._prompts, room)}", "cyan")),
            ("Requests", _requests(figures)),
            ("KV cache", _cache(figures, min(_BAR, room))),
            ("Step", _seconds(figures.step_seconds)),
            ("First token", _both(figures.first_token)),
            ("Between tokens", _both(figures.inter_token)),
            ("Prefix hits", _share(figures.prefix_hit_rate)),
            ("Accepted drafts", _share(figures.acceptance)),
            ("Preemptions", Text(f"{figures.preemptions:,}")),
            ("Answers", _counts(figures.answers)),
            ("Engine deaths", _counts(figures.deaths, "bold red")),
            ("Errors", _counts(figures.errors, "red")),
        ):
            table.add_row(label, value)
        return table


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw values as a line of blocks, one a column, the newest at the right."""
    shown = values[-width:] if width else ()
    top = max(shown, default=0.0)
    if top <= 0:
        return _SPARKS[0] * len(shown)
    return "".join(_SPARKS[round(value / top * (len(_SPARKS) - 1))] for value in shown)


def printable(text: str) -> str:
    """Return text from a server without what would steer the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _requests(figures: Figures) -> Text:
    waiting = f", {figures.waiting:,} waiting" if figures.waiting else ""
    tokens = f" ({figures.waiting_tokens:,} tokens)" if figures.waiting else ""
    return Text(f"{figures.running:,} running{waiting}{tokens}")


def _cache(figures: Figures, width: int) -> Text:
    share = figures.kv_blocks_used / figures.kv_blocks if figures.kv_blocks else 0.0
    full = round(share * width)
    bar = Text("█" * full, "red" if share > 0.9 else "green")  # noqa: PLR2004 - nine tenths
    bar.append("░" * (width - full), "dim")
    bar.append(f" {share:4.0%} of {figures.kv_blocks:,} blocks", "default")
    return bar


def _seconds(seconds: float | None) -> Text:
    return Text("-", "dim") if seconds is None else Text(duration(seconds))


def _both(found: Percentiles | None) -> Text:
    if found is None:
        return Text("-", "dim")
    return Text(f"p50 {duration(found.p50)}  p95 {duration(found.p95)}")


def duration(seconds: float) -> str:
    """Return seconds for people."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _share(share: float | None) -> Text:
    return Text("-", "dim") if share is None else Text(f"{share:.0%}")


def _counts(counts: Mapping[str, int], style: str = "default") -> Text:
    if not counts:
        return Text("none", "dim")
    found = sorted(counts.items(), key=lambda pair: -pair[1])
    return Text("  ".join(f"{printable(name)} {count:,}" for name, count in found), style)
