"""One request's answers, as they come out of the engine."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from stormproof.engine import Output, SamplingParams

T = TypeVar("T")


class Engine(Protocol):
    """What the gateway needs of an engine."""

    def stream(
        self, prompt: Sequence[int], params: SamplingParams, *, request_id: str | None = None
    ) -> AsyncGenerator[Output, None]:
        """Answer one prompt piece by piece; closing the stream gives it up."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to be made: its prompt, and how."""

    prompt: Sequence[int]
    params: SamplingParams


async def generate(
    engine: Engine, choices: Sequence[Choice], request_id: str
) -> AsyncGenerator[tuple[int, Output], None]:
    """Yield the pieces of all answers as they come, each with the index of its choice.

    The first answer that fails ends them all. Closing the stream gives all of them up.

    Args:
        engine: What answers.
        choices: The answers to make; they are computed at the same time.
        request_id: Written on every error.

    Raises:
        StormproofError: Whatever went wrong.
    """
    streams = [
        engine.stream(choice.prompt, choice.params, request_id=request_id) for choice in choices
    ]
    if len(streams) == 1:
        async with aclosing(streams[0]) as stream:
            async for output in stream:
                yield 0, output
        return
    async with aclosing(_merge(streams)) as merged:
        async for pair in merged:
            yield pair


async def collect(pieces: AsyncIterator[tuple[int, Output]], count: int) -> list[Output]:
    """Return ``count`` whole answers, in the order of their choices."""
    whole: list[Output | None] = [None] * count
    async for index, piece in pieces:
        so_far = whole[index]
        whole[index] = so_far.then(piece) if so_far else piece
    return [answer for answer in whole if answer]


async def _merge(
    streams: Sequence[AsyncGenerator[T, None]],
) -> AsyncGenerator[tuple[int, T], None]:
    """Yield from all streams at once, in the order things arrive."""
    queue: asyncio.Queue[tuple[int, T] | BaseException | None] = asyncio.Queue(len(streams))

    async def pump(index: int, stream: AsyncGenerator[T, None]) -> None:
        try:
            async with aclosing(stream):
                async for item in stream:
                    await queue.put((index, item))
            await queue.put(None)
        except Exception as error:  # noqa: BLE001 - raised again where the items are read
            await queue.put(error)

    tasks = [asyncio.create_task(pump(*pair)) for pair in enumerate(streams)]
    try:
        running = len(tasks)
        while running:
            item = await queue.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                running -= 1
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
