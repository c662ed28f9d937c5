"""Clients that stream, and what they get."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one client got.

    Attributes:
        text: All that was said.
        end: How it ended: a reason, or the code of an error.
        tokens: How many were counted by the server.
        longest_wait: Seconds; for the first piece, or for another.
    """

    text: str
    end: str
    tokens: int
    longest_wait: float

    def same_as(self, other: "Heard") -> bool:
        """Whether another client got the same."""
        return (self.text, self.end, self.tokens) == (other.text, other.end, other.tokens)


async def answers(url: str, clients: int, tokens: int) -> list[Heard]:
    """Have many clients ask at once, each something else, every other one greedily."""
    bodies = [_story(number, tokens) for number in range(clients)]
    limits = httpx2.Limits(max_connections=clients)
    async with httpx2.AsyncClient(base_url=url, timeout=600, limits=limits) as http:
        return await asyncio.gather(*(ask(http, "chat/completions", body) for body in bodies))


def _story(number: int, tokens: int) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": f"Tell me a story about the number {number}."}],
        "max_tokens": tokens,
        "temperature": number % 2,
        "seed": number,
        "ignore_eos": True,
    }


async def ask(http: httpx2.AsyncClient, route: str, body: dict[str, Any]) -> Heard:
    """Stream one answer to its end."""
    text, end, tokens, longest = "", "cut off", 0, 0.0
    asked = {"model": "smollm2", "stream": True, "stream_options": {"include_usage": True}, **body}
    last = time.perf_counter()
    async with http.stream("POST", f"/v1/{route}", json=asked) as response:
        async for chunk in _chunks(response):
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
            if error := chunk.get("error"):
                end = error["code"]
            tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
            for choice in chunk.get("choices", ()):
                text += choice.get("text") or choice.get("delta", {}).get("content") or ""
                end = choice["finish_reason"] or end
    return Heard(text=text, end=end, tokens=tokens, longest_wait=longest)


async def _chunks(response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    """Yield what the events of a stream hold; or a refusal, which is no stream."""
    if not response.is_success:
        yield json.loads(await response.aread())
        return
    async for line in response.aiter_lines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))
