"""Calls of tools in a stream, held back until they are whole.

Half a call is of use to nobody, and cannot be taken back. One that is cut has never been seen, so
whoever goes on with the answer may begin it again.
"""

import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

import msgspec

from stormproof.errors import ParsingError
from stormproof.providers.chat import Chunk, Completion, Document
from stormproof.providers.judging import ENDED_EARLY


async def whole_calls(chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
    """Yield a stream with every choice's calls right before its end.

    Raises:
        ParsingError: The arguments of one are not JSON, although the answer was not cut short.
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
            calls = _numbered(held.pop(chunk.index))
            if chunk.finish_reason not in ENDED_EARLY:
                _check(calls)
            for call in calls:
                yield call
            if not chunk.delta.get("tool_calls"):
                yield chunk


def check_calls(completion: Completion) -> None:
    """Look at the calls of a whole answer.

    Raises:
        ParsingError: As for `whole_calls`.
    """
    for choice in completion.choices:
        calls = choice["message"].get("tool_calls")
        if calls and choice["finish_reason"] not in ENDED_EARLY:
            _check_arguments((call.get("function") or {}).get("arguments") for call in calls)


def _numbered(chunks: Sequence[Chunk]) -> Sequence[Chunk]:
    """Number calls, as not every provider does: by that, clients tell the parts of each."""
    if all("index" in call for chunk in chunks for call in _calls(chunk)):
        return chunks
    number, made = -1, []
    for chunk in chunks:
        calls = []
        for call in _calls(chunk):
            begins = call.get("id") or (call.get("function") or {}).get("name")
            number = call.get("index", number + bool(begins or number < 0))
            calls.append({**call, "index": number})
        made.append(msgspec.structs.replace(chunk, delta={**chunk.delta, "tool_calls": calls}))
    return made


def _check(chunks: Sequence[Chunk]) -> None:
    parts: dict[int, list[str]] = {}
    for call in [call for chunk in chunks for call in _calls(chunk)]:
        part = (call.get("function") or {}).get("arguments") or ""
        parts.setdefault(call["index"], []).append(part)
    _check_arguments(map("".join, parts.values()))


def _check_arguments(texts: Iterable[str | None]) -> None:
    for text in texts:
        try:
            json.loads(text or "{}")
        except (ValueError, RecursionError) as error:
            raise ParsingError(reason="the arguments of a tool call are not JSON") from error


def _calls(chunk: Chunk) -> Sequence[Document]:
    calls: Sequence[Document] = chunk.delta["tool_calls"]
    return calls
