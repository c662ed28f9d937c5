"""Calls of tools in a stream, held back until they are whole.

Half a call is of use to nobody, and cannot be taken back. One that is cut has never been seen, so
whoever goes on with the answer may begin it again.
"""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from stormproof.errors import ParsingError
from stormproof.providers.chat import Chunk


async def whole_calls(chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
    """Yield a stream with every choice's calls right before its end.

    Raises:
        ParsingError: The arguments of one are not JSON.
    """
    held: dict[int, list[Chunk]] = {}
    async with aclosing(chunks):
        async for chunk in chunks:
            if chunk.delta.get("tool_calls"):
                held.setdefault(chunk.index, []).append(chunk)
                if chunk.finish_reason is None:
                    continue
            elif chunk.finish_reason is None or chunk.index not in held:
                yield chunk
                continue
            calls = held.pop(chunk.index)
            _check(calls)
            for call in calls:
                yield call
            if chunk is not calls[-1]:
                yield chunk


def _check(chunks: Sequence[Chunk]) -> None:
    arguments: dict[object, str] = {}
    for chunk in chunks:
        for call in chunk.delta["tool_calls"]:
            function = call.get("function") or {}
            place = call.get("index", 0)
            arguments[place] = arguments.get(place, "") + (function.get("arguments") or "")
    for text in arguments.values():
        try:
            json.loads(text or "{}")
        except ValueError as error:
            raise ParsingError(reason="the arguments of a tool call are not JSON") from error
