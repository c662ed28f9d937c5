"""Whether the server can answer now, and how it stops."""

import asyncio
from collections.abc import Collection
from enum import StrEnum
from types import TracebackType

from stormproof.engine import AsyncEmbedder, AsyncLLM
from stormproof.errors import ServiceUnavailable


class SettingsState(StrEnum):
    """Whether a server runs with what its file of settings says; the later, the worse."""

    CURRENT = "current"
    RESTART_NEEDED = "restart needed"
    REFUSED = "refused"


class Lifecycle:
    """Serving, then draining, then gone.

    Args:
        engine: What answers, if there is one here; it is drained first and closed last.
        drain_timeout: Seconds that running requests get to finish.
        embedders: Embedding models, which stop when the engine does.

    Attributes:
        draining: Whether it has begun to stop.
        settings: Whether those in force are those of the file.
    """

    def __init__(
        self,
        engine: AsyncLLM | None,
        *,
        drain_timeout: float,
        embedders: Collection[AsyncEmbedder] = (),
    ) -> None:
        self._engine = engine
        self._embedders = embedders
        self._drain_timeout = drain_timeout
        self._calls: set[asyncio.Timeout] = set()
        self._end: float | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False
        self.settings = SettingsState.CURRENT

    def check_alive(self) -> None:
        """Tell the truth about the engine: it makes progress, has nothing to do, or is replaced.

        Raises:
            ServiceUnavailable: It hangs, is dead, or dies again and again.
        """
        if self._engine and not self._engine.alive:
            raise ServiceUnavailable(reason="the engine has stopped making progress")
        if not all(embedder.alive for embedder in self._embedders):
            raise ServiceUnavailable(reason="an embedding model has stopped")

    def check_accepting(self) -> None:
        """Say whether new work is let in.

        Raises:
            ServiceUnavailable: The server is shutting down.
        """
        if self.draining:
            raise _leaving()

    def check_ready(self) -> None:
        """Say whether a request sent now would be served.

        Raises:
            ServiceUnavailable: It would not.
        """
        self.check_accepting()
        self.check_alive()
        if self._engine and not self._engine.ready:
            raise ServiceUnavailable(reason="the engine is being replaced", retry_after=1.0)

    def calling(self) -> "_Call":
        """Return what holds the end of the server off while a model elsewhere is called.

        To be entered with ``async with``; raises `ServiceUnavailable` where the server is shutting
        down, and its drain timeout is over.
        """
        return _Call(self._calls, self._idle, self._end)

    async def _end_calls(self, grace: float) -> None:
        self._end = asyncio.get_running_loop().time() + grace
        for call in self._calls:
            call.reschedule(self._end)
        await self._idle.wait()

    async def drain(self) -> None:
        """Refuse new work, and let the work there is end within the drain timeout.

        What fails to drain cuts nothing else short; that it failed is raised in the end.
        """
        self.draining = True
        grace = self._drain_timeout
        ends = [embedder.drain(grace) for embedder in self._embedders]
        if self._engine:
            ends.append(self._engine.drain(grace))
        drained = await asyncio.gather(self._end_calls(grace), *ends, return_exceptions=True)
        for failure in filter(None, drained):
            raise failure

    def close(self) -> None:
        """Stop the models."""
        for embedder in self._embedders:
            embedder.close()
        if self._engine:
            self._engine.close()


class _Call:
    """A call of a model elsewhere; a class, since each request enters one.

    Args:
        calls: Those under way.
        idle: Set while there are none.
        end: When all of them end, by the event loop's clock; None as long as that is open.
    """

    def __init__(self, calls: set[asyncio.Timeout], idle: asyncio.Event, end: float | None) -> None:
        self._calls = calls
        self._idle = idle
        self._timeout = asyncio.timeout_at(end)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        self._calls.add(self._timeout)
        self._idle.clear()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._calls.discard(self._timeout)
        if not self._calls:
            self._idle.set()
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError as timeout:
            raise _leaving() from timeout


def _leaving() -> ServiceUnavailable:
    return ServiceUnavailable(reason="the server is shutting down", retry_after=1.0)
