"""Whether the server can answer now, and how it stops."""

import asyncio
from collections.abc import Collection
from enum import StrEnum
from types import TracebackType

from stormproof.engine import AsyncEmbedder, AsyncLLM
from stormproof.errors import ServiceUnavailable
from stormproof.recovery.cut import Cut


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
        self._calls: set[Cut] = set()
        self._calls_over = False
        self._idle = asyncio.Event()
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

        To be entered with ``with``; inside, `ServiceUnavailable` is raised when the server is
        shutting down, and its drain timeout is over.

        Raises:
            ServiceUnavailable: It is over already.
        """
        if self._calls_over:
            raise _leaving()
        return _Call(self._calls, self._idle)

    async def _drain_calls(self, grace: float) -> None:
        asyncio.get_running_loop().call_later(grace, self._end_calls)
        while self._calls:
            self._idle.clear()
            await self._idle.wait()

    def _end_calls(self) -> None:
        self._calls_over = True
        for call in self._calls:
            call()

    async def drain(self) -> None:
        """Refuse new work, and let the work there is end within the drain timeout.

        What fails to drain cuts nothing else short; that it failed is raised in the end.
        """
        self.draining = True
        grace = self._drain_timeout
        ends = [embedder.drain(grace) for embedder in self._embedders]
        if self._engine:
            ends.append(self._engine.drain(grace))
        drained = await asyncio.gather(self._drain_calls(grace), *ends, return_exceptions=True)
        for failure in filter(None, drained):
            raise failure

    def close(self) -> None:
        """Stop the models."""
        for embedder in self._embedders:
            embedder.close()
        if self._engine:
            self._engine.close()


class _Call(Cut):
    """A call of a model elsewhere, in this task; a class, since each request enters one.

    Args:
        calls: Those under way.
        idle: Told when there are none any more.
    """

    __slots__ = ("_calls", "_idle")

    def __init__(self, calls: set[Cut], idle: asyncio.Event) -> None:
        super().__init__(asyncio.current_task())
        self._calls = calls
        self._idle = idle

    def __enter__(self) -> None:
        self._calls.add(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._calls.discard(self)
        if not self._calls:
            self._idle.set()
        if self.withdraw() and isinstance(error, asyncio.CancelledError):
            raise _leaving() from error


def _leaving() -> ServiceUnavailable:
    return ServiceUnavailable(reason="the server is shutting down", retry_after=1.0)
