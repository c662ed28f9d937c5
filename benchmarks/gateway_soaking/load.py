"""Clients who come at random, ask, and now and then do not wait for the end."""

import asyncio
import random
import time
from collections.abc import Sequence
from itertools import count
from typing import Final

from gateway_peers.client import Connection, connect
from gateway_soaking.hearing import Heard, Outcome, heard
from gateway_soaking.ledger import Ledger
from gateway_soaking.questions import Kind, Question, drawn

PATIENCE: Final = 60.0
"""Seconds that a client waits for an answer; none takes so long."""

LEAVING: Final = 0.1
"""How many clients leave early."""

_IDLE: Final = 2.0
"""Seconds after which a connection is not used again: the gateway may be closing it."""

_MOST: Final = 400
"""Requests at once; who comes later waits outside."""


class Load:
    """Asks a gateway.

    Args:
        port: Where it listens.
        ledger: Where every request is noted.
        kinds: What may be asked.
        chance: Decides who asks what and when.
    """

    def __init__(
        self, port: int, ledger: Ledger, kinds: Sequence[Kind], chance: random.Random
    ) -> None:
        self._port = port
        self._ledger = ledger
        self._kinds = kinds
        self._chance = chance
        self._numbers = count(1)
        self._idle: list[tuple[Connection, float]] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def peak(self, clients: int, seconds: float) -> float:
        """Return how many requests a second are answered when each client asks again at once."""
        until, before = time.monotonic() + seconds, self._ledger.outcomes.total()

        async def client() -> None:
            while time.monotonic() < until:
                await self._ask(leaves=False)

        await asyncio.gather(*(client() for _ in range(clients)))
        took = time.monotonic() - until + seconds
        return (self._ledger.outcomes.total() - before) / took

    async def run(self, rate: float, seconds: float) -> None:
        """Have so many clients a second come, independently, and wait for the last of them."""
        begun = due = time.monotonic()
        while due < begun + seconds:
            await asyncio.sleep(due - time.monotonic())
            if len(self._asking) < _MOST:
                self._send()
            due += self._chance.expovariate(rate)
        while self._asking:
            await asyncio.wait(self._asking)

    def close(self) -> None:
        """Close the connections that are kept."""
        for connection, _ in self._idle:
            connection.close()

    def _send(self) -> None:
        task = asyncio.create_task(self._ask(leaves=self._chance.random() < LEAVING))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, *, leaves: bool) -> None:
        question = drawn(next(self._numbers), self._kinds, self._chance)
        patience = self._chance.uniform(0, 0.15) if leaves else PATIENCE
        self._ledger.opened(question.number)
        self._ledger.closed(question.number, await self._heard(question, patience, leaves=leaves))

    async def _heard(self, question: Question, patience: float, *, leaves: bool) -> Heard:
        try:
            connection = self._youngest() or await connect(self._port)
            exchange = await connection.ask(question.wire, patience)
        except OSError as error:
            return Heard(Outcome.WRONG, f"{question.kind}: {type(error).__name__}")
        if connection.is_open:
            self._idle.append((connection, time.monotonic()))
        return heard(question, exchange, leaves=leaves)

    def _youngest(self) -> Connection | None:
        while self._idle:
            connection, since = self._idle.pop()
            if connection.is_open and time.monotonic() - since < _IDLE:
                return connection
            if connection.is_open:
                connection.close()
        return None
