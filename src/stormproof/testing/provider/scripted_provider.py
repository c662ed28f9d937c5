"""The server of a scripted provider."""

import asyncio
from functools import partial
from types import TracebackType
from typing import Self

from stormproof.testing.provider.asked import Api
from stormproof.testing.provider.connection import Connection
from stormproof.testing.provider.replies import Speaker
from stormproof.testing.provider.steps import Script, Step
from stormproof.testing.provider.target import ScriptedTarget


class ScriptedProvider:
    """Answers on a port of this machine, for as many targets as wanted.

    Each speaks OpenAI's chat completions, completions and embeddings, and Anthropic's messages.

    ```python
    async with ScriptedProvider() as provider:
        limited = provider.target("limited", Refusal(429, retry_after=3))
        healthy = provider.target("healthy", Answer())
        ...  # ask whatever is tested, which calls limited.url and healthy.url
        assert (limited.calls, healthy.calls) == (1, 1)
    ```

    An answer of n tokens is `text_of` (n), unless the target has somebody who speaks for it. A
    request whose conversation ends with a beginning of the answer, said by the assistant, gets the
    rest; so does one in which somebody then wishes that it go on, and a text to continue that ends
    with such a beginning.
    """

    def __init__(self) -> None:
        self._targets: dict[bytes, tuple[ScriptedTarget, Api]] = {}
        self._transports: set[asyncio.Transport] = set()

    async def __aenter__(self) -> Self:
        """Listen."""
        make = partial(Connection, self._targets, self._transports)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(make, "127.0.0.1", backlog=1024)
        [listening] = self._server.sockets
        self._base = "http://{}:{}".format(*listening.getsockname())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Listen no more, and drop who is still there."""
        self._server.close()
        for transport in tuple(self._transports):
            transport.abort()

    @property
    def connections(self) -> int:
        """How many connections there are, whether anything is asked over them or not."""
        return len(self._transports)

    def target(
        self, name: str, *steps: Step | Script, says: Speaker | None = None
    ) -> ScriptedTarget:
        """Give an address a script, instead of the one that it had, and a count from zero.

        Args:
            name: Part of its address.
            steps: What to do on the first call, the second, and so on; the last step repeats. A
                function decides upon the request.
            says: Who speaks for it: returns what comes next in a conversation.
        """
        target = ScriptedTarget(f"{self._base}/{name}/v1", *steps, says=says)
        for api in Api:
            self._targets[f"/{name}/v1{api}".encode()] = target, api
        return target
