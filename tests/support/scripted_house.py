"""A gateway in front of providers whose answers are the test's own."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

from support.ladder_server import serving_file
from support.raw_server import RawServer, request


class House:
    """A gateway, and those who answer for its model ``text``, by bytes of the test's own."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.providers: list[RawServer] = []
        self._folder = folder
        self._stack = stack

    async def gateway(self, *providers: list[bytes], completions: bool = True) -> str:
        """Serve it; each provider gives its answers, one a connection."""
        tables, rungs = [], []
        for number, answers in enumerate(providers):
            url = await self._provider(answers)
            tables.append(f'[providers.p{number}]\npreset = "openai-compatible"\nurl = "{url}"')
            tables.append(f"completions = {json.dumps(completions)}")
            rungs.append(f'{{ provider = "p{number}", model = "t" }}')
        file = self._folder / "stormproof.toml"
        file.write_text("\n".join([*tables, "[models.text]", f"rungs = [{', '.join(rungs)}]"]))
        return await self._stack.enter_async_context(serving_file(file))

    async def _provider(self, answers: list[bytes]) -> str:
        server, left = RawServer(), iter(answers)

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server.requests.append(await request(reader))
            writer.write(next(left))
            await writer.drain()

        self.providers.append(server)
        self._stack.callback(server.stop)
        return (await server.start(behave)).removesuffix("/x")


def answer(body: bytes, *, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """A whole answer, on a connection of its own."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
    return f"{head}connection: close\r\n\r\n".encode() + body
