"""Passes every request on: ``passthrough.py PORT '{"model": "URL"}'``."""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import aiohttp
import uvicorn

_PASSED: Final = (b"content-type", b"content-length")

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Passthrough:
    """An ASGI application.

    Args:
        urls: Where requests go, by model.
    """

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = urls
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        del scope
        body = await _read(receive)
        url = self._urls[json.loads(body)["model"]]
        session = self._session = self._session or _session()
        headers = {"content-type": "application/json"}
        async with session.post(f"{url}/chat/completions", data=body, headers=headers) as response:
            await send(_start(response))
            async for piece in response.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def _start(response: aiohttp.ClientResponse) -> dict[str, Any]:
    headers = [(name.lower(), value) for name, value in response.raw_headers]
    passed = [header for header in headers if header[0] in _PASSED]
    return {"type": "http.response.start", "status": response.status, "headers": passed}


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    return body


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


if __name__ == "__main__":
    application = Passthrough(json.loads(sys.argv[2]))
    uvicorn.run(
        application, port=int(sys.argv[1]), lifespan="off", log_level="error", access_log=False
    )
