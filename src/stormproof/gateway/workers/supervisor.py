"""Processes that answer at one address: started, replaced when they die, and stopped together.

Each listens there by itself, and the kernel shares connections out among those that do: event loops
that wait on one socket would take all that come at once, and leave none to others.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

from stormproof.errors import translate
from stormproof.recovery import GrowingBreak, current_clock

logger = logging.getLogger(__name__)

_BREAKS: Final = GrowingBreak(first=0.1, longest=30.0)
"""Between the end of a worker and its successor; one that lived longer than any was well."""

_DYING: Final = 15.0
"""Seconds that a worker gets beside those for its requests, before it is killed."""


class Workers:
    """As many processes as wanted.

    Args:
        module: What each of them runs; it is told its number and that of this process, then the
            arguments. It prints a line once it answers.
        arguments: The same for all.
        count: How many.
        drain_timeout: Seconds that running requests get to finish.
        listening: Called when the first of them answers.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        count: int,
        drain_timeout: float,
        listening: Callable[[], None],
    ) -> None:
        self._module = module
        self._arguments = arguments
        self._count = count
        self._listening = listening
        self._patience = drain_timeout + _DYING
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._answering: set[int] = set()
        self._told = False
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Keep them running until SIGTERM or SIGINT, then have them drain.

        A second signal ends them at once. SIGHUP is passed on.
        """
        loop = asyncio.get_running_loop()
        for ending in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(ending, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        keeping = [loop.create_task(self._keep(number)) for number in range(self._count)]
        stopping = loop.create_task(self._stopping.wait())
        await asyncio.wait([stopping, *keeping], return_when=asyncio.FIRST_COMPLETED)
        if not self._stopping.is_set():  # one is not kept any more, and nobody would notice
            self.stop()
        await asyncio.wait(keeping, timeout=self._patience)
        self._signal(signal.SIGKILL, self._processes)
        await asyncio.gather(*keeping)

    def stop(self) -> None:
        """Have them drain, and end; asked again, at once."""
        self._stopping.set()
        self._signal(signal.SIGTERM, self._processes)

    def _reload(self) -> None:
        """Have those read the settings again that have read them."""
        self._signal(signal.SIGHUP, self._answering)

    def _signal(self, sent: signal.Signals, to: Collection[int]) -> None:
        for number in to:
            with suppress(ProcessLookupError):
                self._processes[number].send_signal(sent)

    async def _keep(self, number: int) -> None:
        """Run one worker after another."""
        clock, pause = current_clock(), 0.0
        while not self._stopping.is_set():
            began = clock.now()
            end = await self._life_of(number)
            if self._stopping.is_set():
                return
            well = clock.now() - began > _BREAKS.longest
            pause = _BREAKS.following(0.0 if well else pause)
            told = {"worker": number, "end": end, "pause": pause}
            logger.error("a worker ended and is replaced", extra=told)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _BREAKS.drawn(pause))

    async def _life_of(self, number: int) -> str:
        """Start a worker, wait for its end, and return what that was."""
        try:
            process = await self._start(number)
        except OSError as error:
            return translate(error).message
        self._processes[number] = process
        if self._stopping.is_set():
            process.terminate()
        if process.stdout and await process.stdout.readline():
            self._answers(number)
        status = await process.wait()
        self._answering.discard(number)
        del self._processes[number]
        return f"status {status}" if status >= 0 else signal.Signals(-status).name

    def _answers(self, number: int) -> None:
        self._answering.add(number)
        if not self._told:
            self._told = True
            self._listening()

    async def _start(self, number: int) -> asyncio.subprocess.Process:
        """Start a worker that imports from the same places as this process."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", self._module, str(number), str(os.getpid())),
            *self._arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C is for this process, which has them drain
        )
