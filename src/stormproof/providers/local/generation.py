"""One request's answers, as they come out of the engine."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from stormproof.engine import Output, SamplingParams

T = TypeVar("T")


class Engine(Protocol):
    """What the gateway needs of an engine."""

    def stream(
        self, prompt: Sequence[int], params: SamplingParams, *, request_id: str | None = None
    ) -> AsyncGenerator[Output, None]:
        """Answer one prompt piece by piece; closing the stream gives it up."""


Watch: TypeAlias = Callable[
    [int, AsyncGenerator[Output, None]], AsyncGenerator[tuple[int, Output], None]
]


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to be made: its prompt, and how."""

    prompt: Sequence[int]
    params: SamplingParams


def generate(
    engine: Engine, choices: Sequence[Choice], request_id: str | None, watch: Watch
) -> AsyncGenerator[tuple[int, Output], None]:
    """Yield the pieces of all answers as they come, each with the index of its choice.

    The first answer that fails ends them all. Closing the stream gives all of them up.

    Args:
        engine: What answers.
        choices: The answers to make; they are computed at the same time.
        request_id: Written on every error.
        watch: Counts the pieces of one choice, and yields them with its index.

    Raises:
        StormproofError: Whatever went wrong.
    """
    streams = [
        watch(index, engine.stream(choice.prompt, choice.params, request_id=request_id))
        for index, choice in enumerate(choices)
    ]
    return streams[0] if len(streams) == 1 else _merge(streams)


async def collect(pieces: AsyncIterator[tuple[int, Output]], count: int) -> list[Output]:
    """Return ``count`` whole answers, in the order of their choices."""
    whole: list[Output | None] = [None] * count
    async for index, piece in pieces:
        so_far = whole[index]
        whole[index] = so_far.then(piece) if so_far else piece
    return [answer for answer in whole if answer]


async def _merge(streams: Sequence[AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
    """Yield from all streams at once, in the order things arrive."""
    queue: asyncio.Queue[T | Exception | None] = asyncio.Queue(len(streams))

    async def pump(stream: AsyncGenerator[T, None]) -> None:
        try:
            async with aclosing(stream):
                async for item in stream:
                    await queue.put(item)
            await queue.put(None)
        except Exception as error:  # noqa: BLE001 - raised again where the items are read
            await queue.put(error)

    tasks = [asyncio.create_task(pump(stream)) for stream in streams]
    try:
        running = len(tasks)
        while running:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                running -= 1
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
