"""Running the application: a socket, a model, and an orderly end."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from stormproof.errors import ConfigurationError
from stormproof.gateway.http_protocol import HttpProtocol
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.reloading import Reloader
from stormproof.gateway.workers.series import WorkerSeries

logger = logging.getLogger(__name__)

_HALF_SENT: float = 5.0
"""Seconds that connections get, once the work is done, to take what they were sent."""

_YOUNG_OBJECTS: Final = 20_000
"""Made, and not freed, before somebody looks which of them refer to each other only."""


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Take an address before anything slow is started for it.

    Args:
        host: Name or address.
        port: 0 picks a free port.
        shared: Whether other processes listen there, too: each connection is for one of them.

    Raises:
        ConfigurationError: The address is not ours to take.
    """
    with _taking(host, port):
        family, address = _resolved(host, port)
        return socket.create_server(address, family=family, backlog=2048, reuse_port=shared)


def reserve(host: str, port: int) -> socket.socket:
    """Take an address for processes that will listen there, without listening.

    Args:
        host: Name or address.
        port: 0 picks a free port.

    Raises:
        ConfigurationError: The address is not ours to take, or cannot be shared here.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ConfigurationError(setting="workers", reason="must be 1 on this system")
    with listen(host, port) as alone:  # as with those who share it one never is
        port = alone.getsockname()[1]
    with _taking(host, port):
        family, address = _resolved(host, port)
        reserved = socket.socket(family)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(address)
        return reserved


def _resolved(host: str, port: int) -> tuple[int, tuple[str, int]]:
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return family, (str(address[0]), int(address[1]))


@contextmanager
def _taking(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"cannot listen on {host}:{port}: {error.strerror}"
        raise ConfigurationError(setting="host, port", reason=reason) from error


def run(
    app: ASGIApp,
    lifecycle: Lifecycle,
    listener: socket.socket,
    *,
    reloader: Reloader | None = None,
    series: WorkerSeries | None = None,
    listening: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends it at once.

    Args:
        app: The application.
        lifecycle: Told when to drain.
        listener: From ``listen``.
        reloader: Told of SIGHUP, and run as long as the server.
        series: Those of this worker and others, where there are; run as long.
        listening: Called when requests are answered from now on.
    """
    config = uvicorn.Config(
        app,
        http=HttpProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # the edge reads them, of those that are trusted
        timeout_graceful_shutdown=int(_HALF_SENT),
    )
    # What is loaded by now stays: looking through it for garbage again and again finds none. What
    # requests hold is mostly freed without being looked for.
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
    try:
        _Server(config, lifecycle, reloader, series, listening).run(sockets=[listener])
    finally:
        lifecycle.close()


class _Server(uvicorn.Server):
    """Goes on listening while it drains, so that new requests get a clear answer."""

    def __init__(
        self,
        config: uvicorn.Config,
        lifecycle: Lifecycle,
        reloader: Reloader | None,
        series: WorkerSeries | None,
        listening: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._reloader = reloader
        self._series = series
        self._listening = listening
        self._beside: list[asyncio.Task[None]] = []
        self._leaving: asyncio.Task[None] | None = None
        self._signalled = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and from then on look after the settings, and tell other workers the series."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        if self._series:
            self._beside.append(loop.create_task(self._series.run()))
        if self._reloader:
            self._beside.append(loop.create_task(self._reloader.run()))
            if sys.platform != "win32":
                loop.add_signal_handler(signal.SIGHUP, self._reloader.ask)
        self._listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Begin to drain on the first signal; leave at once on the second."""
        if self._signalled or not self.started:
            self.should_exit = self.force_exit = True
            return
        self._signalled = True
        logger.info("%s: draining", signal.Signals(sig).name)
        asyncio.get_running_loop().call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._leaving = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            await self._lifecycle.drain()
        except Exception:
            logger.exception("draining failed")
        finally:
            self.should_exit = True
