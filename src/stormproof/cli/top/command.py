"""The command: look, show, wait, and again."""

import json
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.live import Live

from stormproof.cli.failures import failures
from stormproof.cli.server import LOCAL, Url, key_headers
from stormproof.errors import StormproofError, to_wire

if TYPE_CHECKING:
    from stormproof.cli.top.look import Look, Watch
    from stormproof.cli.top.view import View

_PATIENCE: Final = 5.0
_HISTORY: Final = 240


def top(
    *,
    url: Url = LOCAL,
    interval: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds between two looks.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Show one interval, and leave.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each look.")
    ] = False,
) -> None:
    """Watch a running server: throughput, queue, cache, latencies, errors.

    Throughput is that of the last interval; times and shares are those of the last ten; counts are
    since the server's start. It goes on watching when the server goes away, and says so. Ctrl-C
    leaves.

    A key is taken from the environment variable STORMPROOF_API_KEY; a server of ours does not ask
    for one here, but what stands before it may.
    """
    import httpx2  # noqa: PLC0415 - heavy: --help does without

    from stormproof.cli.top.look import Watch  # noqa: PLC0415

    with (
        failures(as_json=as_json),
        httpx2.Client(base_url=url, headers=key_headers(), timeout=_PATIENCE) as client,
    ):
        watch = Watch(client)
        if once:
            _once(watch, url, interval, as_json=as_json)
            return
        try:
            _for_ever(_Screen(watch, url), interval, as_json=as_json)
        except KeyboardInterrupt:
            return


def _once(watch: "Watch", url: str, interval: float, *, as_json: bool) -> None:
    from stormproof.cli.top.view import View  # noqa: PLC0415

    watch.look()
    time.sleep(interval)
    look = watch.look()
    if as_json:
        typer.echo(json.dumps({"url": url, **look.document()}))
    else:
        Console().print(View(url, look))


def _for_ever(screen: "_Screen", interval: float, *, as_json: bool) -> None:
    console = Console()
    if as_json:
        for _ in _beats(interval):
            screen.refresh()
            typer.echo(json.dumps(screen.document()))
    elif console.is_terminal:
        with Live(screen.view(), console=console, screen=True, auto_refresh=False) as live:
            for _ in _beats(interval):
                screen.refresh()
                live.update(screen.view(), refresh=True)
    else:
        for _ in _beats(interval):
            screen.refresh()
            console.print(screen.view())


def _beats(interval: float) -> Iterator[None]:
    while True:
        yield
        time.sleep(interval)


class _Screen:
    """What is to be seen now, and what was seen before."""

    def __init__(self, watch: "Watch", url: str) -> None:
        self._watch = watch
        self._url = url
        self._look: Look | None = None
        self._trouble: StormproofError | None = None
        self._outputs: deque[float] = deque(maxlen=_HISTORY)
        self._prompts: deque[float] = deque(maxlen=_HISTORY)

    def refresh(self) -> None:
        """Look again; a server that went away is waited for."""
        try:
            self._look, self._trouble = self._watch.look(), None
        except StormproofError as error:
            self._trouble = error
            self._outputs.append(0.0)
            self._prompts.append(0.0)
        else:
            self._outputs.append(self._look.figures.output_tokens_per_second)
            self._prompts.append(self._look.figures.prompt_tokens_per_second)

    def view(self) -> "View":
        """Return it for people."""
        from stormproof.cli.top.view import View  # noqa: PLC0415

        trouble = f"{self._trouble.code}: {self._trouble}; trying again" if self._trouble else None
        return View(
            self._url,
            self._look,
            outputs=tuple(self._outputs),
            prompts=tuple(self._prompts),
            trouble=trouble,
        )

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        if self._trouble or self._look is None:
            return {"url": self._url, **(to_wire(self._trouble) if self._trouble else {})}
        return {"url": self._url, **self._look.document()}
