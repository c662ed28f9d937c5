"""The reflex between the libraries of two providers and an application that speaks their APIs."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from prometheus_client import CollectorRegistry

from stormproof.gateway import Keyring, Lifecycle, create_app, load_settings
from stormproof.providers import Endpoint, HttpClient, Ladder, OpenAIModel, Rung
from stormproof.reflex import OnFailure, Reflex, Step
from stormproof.reflex.asgi import ReflexMiddleware
from stormproof.signals import Metrics
from stormproof.testing.provider import Reply, ScriptedProvider
from support.guarded_app import ALICE, redacting

TOLD = f"You said: I am {ALICE}."


class House:
    """A gateway behind the stages, whose provider repeats what it is told.

    Attributes:
        heard: What the provider was told.
        guarded: The gateway, with the stages in front.
    """

    def __init__(self, provider: ScriptedProvider, http: HttpClient) -> None:
        self.heard: list[str] = []
        target = provider.target("p", says=self._repeat)
        endpoint = Endpoint(provider="p", url=f"{target.url}/chat/completions")
        rung = Rung(OpenAIModel(endpoint, "m", client=http), name="p")
        app = create_app(
            None,
            load_settings({}),
            model_name="local",
            keyring=Keyring([]),
            lifecycle=Lifecycle(None, drain_timeout=1),
            metrics=Metrics(CollectorRegistry()),
            make_ladders=lambda _: {"chat": Ladder("chat", [rung])},
        )
        reflex = Reflex([Step(redacting(), OnFailure.CLOSED)])
        self.guarded: Any = ReflexMiddleware(app, reflex=reflex)

    def _repeat(self, conversation: Any) -> Reply:
        self.heard.append(conversation[-1].text)
        return Reply(f"You said: {conversation[-1].text}.")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    http = HttpClient()
    async with ScriptedProvider() as provider:
        house = House(provider, http)
        yield house
    http.close()
    assert not [text for text in house.heard if ALICE in text]


async def test_openais_library_reads_what_comes_of_responses(house: House) -> None:
    """Whole, and with all its events."""
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(house.guarded)) as http,
        openai.AsyncOpenAI(base_url="http://app/v1", api_key="k", http_client=http) as client,
    ):
        asked: Any = {"model": "chat", "input": f"I am {ALICE}"}
        assert (await client.responses.create(**asked)).output_text == TOLD
        async with client.responses.stream(**asked) as stream:
            pieces = [
                event.delta async for event in stream if event.type == "response.output_text.delta"
            ]
            response = await stream.get_final_response()
    assert "".join(pieces) == response.output_text == TOLD


async def test_anthropics_library_reads_what_comes_of_messages(house: House) -> None:
    """Whole, and with all its events."""
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(house.guarded)) as http,
        anthropic.AsyncAnthropic(base_url="http://app", api_key="k", http_client=http) as client,
    ):
        messages = [{"role": "user", "content": f"I am {ALICE}"}]
        asked: Any = {"model": "chat", "max_tokens": 99, "messages": messages}
        [block] = (await client.messages.create(**asked)).content
        async with client.messages.stream(**asked) as stream:
            pieces = [text async for text in stream.text_stream]
            [last] = (await stream.get_final_message()).content
    assert getattr(block, "text", "") == "".join(pieces) == getattr(last, "text", "") == TOLD
