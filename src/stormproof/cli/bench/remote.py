"""Any OpenAI-compatible server, measured from outside."""

import json
import time
from typing import Any

import httpx2

from stormproof.cli.bench.timeline import Timeline
from stormproof.cli.bench.workload import Request
from stormproof.cli.server import refusal
from stormproof.errors import ProtocolError, from_wire, translate


class ServerTarget:
    """Asks a server for completions of token ids, streamed.

    Args:
        client: Knows where the server is, and its key.
        model: Which of its models.
    """

    def __init__(self, client: httpx2.AsyncClient, model: str) -> None:
        self._client = client
        self._model = model

    async def answer(self, request: Request) -> Timeline:
        """Ask, and note when tokens come.

        Raises:
            StormproofError: There was no answer.
        """
        body = {
            "model": self._model,
            "prompt": list(request.prompt),
            "max_tokens": request.max_tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        reader = _Reader()
        started = time.perf_counter()
        try:
            async with self._client.stream("POST", "/v1/completions", json=body) as response:
                if response.is_error:
                    raise refusal(response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    reader.read(line)
        except httpx2.HTTPError as error:
            raise translate(error) from error
        return reader.timeline(started, len(request.prompt))


class _Reader:
    """Reads a stream of events as it comes."""

    def __init__(self) -> None:
        self._arrivals: list[float] = []
        self._counted: int | None = None

    def read(self, line: str) -> None:
        """Take note of a line."""
        field, _, value = line.partition(":")
        if field != "data" or not value.lstrip().startswith("{"):
            return
        now = time.perf_counter()
        chunk = _document(value)
        if "error" in chunk:
            raise from_wire(chunk)
        try:
            if chunk.get("usage"):
                self._counted = int(chunk["usage"]["completion_tokens"])
            if any(choice["text"] for choice in chunk["choices"]):
                self._arrivals.append(now)
        except (LookupError, TypeError, ValueError) as error:
            raise ProtocolError(reason="the server sends no completions") from error

    def timeline(self, started: float, prompt_tokens: int) -> Timeline:
        """Return what was noted; a server that does not count sends a token in each event."""
        if not self._arrivals:
            raise ProtocolError(reason="the server sent no tokens")
        counted = len(self._arrivals) if self._counted is None else self._counted
        return Timeline(started, self._arrivals, prompt_tokens, counted)


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ProtocolError(reason="the server does not speak JSON") from error
    if not isinstance(document, dict):
        raise ProtocolError(reason="the server sends no completions")
    return document
