"""The provider behind every gateway, in a process of its own."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, Self

import uvloop

from stormproof.testing.provider import ScriptedProvider, ScriptedTarget, Step

_TALLIES: Final = "tallies"
_END: Final = "end"


@dataclass(frozen=True, slots=True)
class Tally:
    """What happened at a target.

    Attributes:
        calls: How often it was called.
        abandoned_at: When the last caller left before it had its answer, by ``time.monotonic``.
    """

    calls: int
    abandoned_at: float | None


class Upstream(AbstractContextManager["Upstream"]):
    """A scripted provider, steered from here.

    Args:
        cores: Where it runs; anywhere, unless told.
    """

    def __init__(self, cores: Sequence[int] = ()) -> None:
        self._cores = cores

    def __enter__(self) -> Self:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs, self._cores), daemon=True)
        self._process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join()

    def script(self, name: str, *steps: Step) -> str:
        """Tell a target what to do; return its URL."""
        self._pipe.send((name, steps))
        url: str = self._pipe.recv()
        return url

    def tallies(self) -> Mapping[str, Tally]:
        """Return what happened so far, by the target's name."""
        self._pipe.send(_TALLIES)
        tallies: Mapping[str, Tally] = self._pipe.recv()
        return tallies


def _run(pipe: Connection, cores: Sequence[int]) -> None:
    if cores:
        os.sched_setaffinity(0, cores)
    uvloop.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    """Do what comes through the pipe, until it is closed."""
    targets: dict[str, ScriptedTarget] = {}
    orders = _orders(pipe)
    async with AsyncExitStack() as listening:
        while (order := await orders.get()) != _END:
            if order == _TALLIES:
                pipe.send({name: Tally(t.calls, t.abandoned_at) for name, t in targets.items()})
                continue
            name, steps = order
            # Each has a port of its own: nobody can use a connection for two of them.
            provider = await listening.enter_async_context(ScriptedProvider())
            targets[name] = provider.target(name, *steps)
            pipe.send(targets[name].url)


def _orders(pipe: Connection) -> asyncio.Queue[Any]:
    """Return where orders come out that others send through a pipe."""
    loop = asyncio.get_running_loop()
    orders: asyncio.Queue[Any] = asyncio.Queue()

    def receive() -> None:
        try:
            orders.put_nowait(pipe.recv())
        except EOFError:
            loop.remove_reader(pipe.fileno())
            orders.put_nowait(_END)

    loop.add_reader(pipe.fileno(), receive)
    return orders
