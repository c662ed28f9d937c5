"""Deaths at random moments while clients stream."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from signal import Signals
from typing import Final

import httpx2

from death_test.client import Heard, answers, ask
from death_test.poison import poisoned_prompt
from death_test.server import Server

REFUSAL: Final = "POISONED_REQUEST"
_LOOK: Final = 0.01


class Blow(StrEnum):
    """What ends the engine's process."""

    KILL = "SIGKILL"
    CRASH = "SIGSEGV"
    STOP = "SIGSTOP"
    POISON = "poisoned request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a storm.

    Attributes:
        struck: How often.
        deaths: How many processes died of that.
        heard: What the clients got.
        poisoned: What those got who sent poison.
        recoveries: For how many seconds there was no process, each time.
    """

    struck: int
    deaths: int
    heard: Sequence[Heard]
    poisoned: Sequence[Heard]
    recoveries: Sequence[float]


class Storm:
    """Strikes a server while clients stream from it.

    Args:
        server: The server.
        clients: How many.
        tokens: How many each asks for.
        chance: Chooses the moments.
    """

    def __init__(self, server: Server, clients: int, tokens: int, chance: random.Random) -> None:
        self._server = server
        self._clients = clients
        self._tokens = tokens
        self._chance = chance

    async def run(self, blows: Sequence[Blow], seconds: float) -> Outcome:
        """Have all clients ask at once, and strike at moments of a time that passes meanwhile."""
        deaths, recoveries = self._server.deaths, len(self._server.recoveries)
        streams = asyncio.create_task(self.answers())
        struck, poisoned = 0, []
        for blow in blows:
            await asyncio.sleep(self._chance.uniform(0.5, 1.5) * seconds / (len(blows) + 1))
            if streams.done():
                break
            struck += 1
            if blow is Blow.POISON:
                poisoned.append(asyncio.create_task(self._poison()))
            else:
                await self._strike(Signals[blow])
        heard = await streams
        refusals = await asyncio.gather(*poisoned)
        await self._over()
        return Outcome(
            struck=struck,
            deaths=self._server.deaths - deaths,
            heard=heard,
            poisoned=refusals,
            recoveries=self._server.recoveries[recoveries:],
        )

    async def answers(self) -> list[Heard]:
        """Have all clients ask at once."""
        return await answers(self._server.url, self._clients, self._tokens)

    async def _poison(self) -> Heard:
        async with httpx2.AsyncClient(base_url=self._server.url, timeout=600) as http:
            return await ask(http, "completions", {"prompt": poisoned_prompt(self._chance)})

    async def _strike(self, blow: Signals) -> None:
        """Strike the process, as soon as there is one, and wait for its death to be noticed."""
        deaths = self._server.deaths
        await _until(lambda: self._server.strike(blow))
        await _until(lambda: self._server.deaths > deaths)

    async def _over(self) -> None:
        """Wait until the last death is over, and told of."""
        await answers(self._server.url, clients=1, tokens=1)
        await _until(lambda: self._server.whole)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - it is another process that changes
        await asyncio.sleep(_LOOK)
