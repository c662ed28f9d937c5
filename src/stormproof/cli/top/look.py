"""Looking at a server: its series, whether it is alive, whether it is ready."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx2

from stormproof.cli.top.figures import Figures
from stormproof.cli.top.scrape import Scrape
from stormproof.errors import ProtocolError, from_wire, translate

WINDOW: Final = 10
"""How many looks back "lately" reaches."""

_LARGEST: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen.

    Attributes:
        figures: Its numbers.
        alive: Whether it makes progress, or has nothing to do.
        ready: Whether a request sent now would be served.
        state: The same in words, with the reason where it is not.
    """

    figures: Figures
    alive: bool
    ready: bool
    state: str

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


class Watch:
    """Looks at one server again and again.

    Args:
        client: Knows where it is.
        clock: Seconds.
    """

    def __init__(self, client: httpx2.Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._scrapes: deque[Scrape] = deque(maxlen=WINDOW)

    def look(self) -> Look:
        """Look once.

        Raises:
            ProtocolError: What is there is no server of ours.
            StormproofError: It cannot be reached.
        """
        try:
            self._scrapes.append(self._scrape())
            alive, why_dead = self._probe("/health")
            ready, why_busy = self._probe("/ready")
        except httpx2.HTTPError as error:
            raise translate(error) from error
        state = "ready" if ready else why_busy
        try:
            figures = Figures.of(self._scrapes)
        except ValueError as error:  # bounds of a histogram that are no numbers
            self._scrapes.clear()
            raise ProtocolError(reason="the server's metrics cannot be read") from error
        return Look(figures, alive, ready, state if alive else why_dead)

    def _scrape(self) -> Scrape:
        scrape = Scrape.parse(self._metrics(), self._clock())
        if "stormproof_engine_steps_total" not in scrape.samples:
            raise ProtocolError(reason="this is not a server of Stormproof's")
        return scrape

    def _metrics(self) -> str:
        text = bytearray()
        with self._client.stream("GET", "/metrics") as response:
            if response.is_error:
                raise ProtocolError(reason=f"/metrics was answered with {response.status_code}")
            for piece in response.iter_bytes():
                text += piece
                if len(text) > _LARGEST:
                    raise ProtocolError(reason="/metrics does not end")
        return text.decode("utf-8", "replace")

    def _probe(self, path: str) -> tuple[bool, str]:
        response = self._client.get(path)
        if response.is_success:
            return True, ""
        try:
            return False, from_wire(response.json()).message
        except (ValueError, ProtocolError):
            return False, f"{path} was answered with {response.status_code}"
