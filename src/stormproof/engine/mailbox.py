"""Handing what the engine's thread makes to the coroutines that wait for it."""

import asyncio
from collections.abc import Iterable
from itertools import groupby

from stormproof.engine.answers.output import Output
from stormproof.errors import StormproofError


class Mailbox:
    """Where one coroutine waits for the pieces of its answer; made on its event loop.

    Pieces that arrive before the last one was fetched are joined, so a slow reader costs one
    piece of memory and catches up at once.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._arrival: asyncio.Future[None] | None = None
        self._output: Output | None = None
        self._error: StormproofError | None = None

    def put(self, output: Output | StormproofError) -> None:
        """Leave a piece, or an error that ends the answer; on the event loop only."""
        if isinstance(output, StormproofError):
            self._error = self._error or output
        elif output.error:
            self._error = self._error or output.error
        else:
            self._output = self._output.then(output) if self._output else output
        if self._arrival and not self._arrival.done():
            self._arrival.set_result(None)

    async def get(self) -> Output:
        """Wait for the next piece.

        Raises:
            StormproofError: The answer failed, and all that came before was fetched.
        """
        while self._output is None:
            if self._error:
                raise self._error
            # An asyncio.Event would do, at a fifth of what a token costs from here to the socket.
            self._arrival = self.loop.create_future()
            await self._arrival
        output, self._output = self._output, None
        return output


Letter = tuple[Mailbox, Output | StormproofError]


def deliver(letters: Iterable[Letter]) -> None:
    """Leave many pieces from another thread, waking each event loop once."""
    for loop, batch in groupby(letters, key=lambda letter: letter[0].loop):
        try:
            loop.call_soon_threadsafe(_put_all, list(batch))
        except RuntimeError:
            # The loop was closed under its streams: nobody is left to read.
            continue


def _put_all(letters: list[Letter]) -> None:
    for mailbox, output in letters:
        mailbox.put(output)
