"""Rungs whose providers follow a script."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TypeVar

from stormproof.providers import AnthropicModel, Endpoint, HttpClient, Ladder, OpenAIModel, Rung
from stormproof.testing.provider import Reply, ScriptedProvider, ScriptedTarget, Step
from support.ladder_server import serving_ladders

ClientT = TypeVar("ClientT")


class ScriptedRungs:
    """Makes rungs, and serves them.

    Attributes:
        targets: Their providers, in the order in which they were made.
    """

    def __init__(self, provider: ScriptedProvider, stack: AsyncExitStack) -> None:
        self.targets: list[ScriptedTarget] = []
        self._provider = provider
        self._stack = stack
        self._http = HttpClient()
        stack.callback(self._http.close)

    def rung(self, api: str, *steps: Step, reply: Reply | None = None) -> Rung:
        """A rung whose provider speaks OpenAI's or Anthropic's API, and says this."""
        name = f"rung-{len(self.targets)}"
        target = self._provider.target(name, *steps, says=(lambda _: reply) if reply else None)
        self.targets.append(target)
        if api == "openai":
            endpoint = Endpoint(provider=name, url=f"{target.url}/chat/completions")
            return Rung(OpenAIModel(endpoint, "m", client=self._http), name=name)
        endpoint = Endpoint(provider=name, url=f"{target.url}/messages")
        return Rung(AnthropicModel(endpoint, "m", client=self._http), name=name)

    async def serve(self, *rungs: Rung) -> str:
        """Serve them as the model ``chat``, until the test ends; return where."""
        ladders = {"chat": Ladder("chat", rungs)}
        return await self._stack.enter_async_context(serving_ladders(ladders))

    async def connect(
        self, client: Callable[[str, AsyncExitStack], ClientT], *rungs: Rung
    ) -> ClientT:
        """Serve them, and return a client that asks there; it is closed with the test."""
        return client(await self.serve(*rungs), self._stack)
