"""The ladders do what the settings say."""

import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from stormproof.errors import ConfigurationError, PartialOutput, ProviderError, RateLimitExceeded
from stormproof.providers.answers import FixedAnswer
from stormproof.providers.candidate import Journey
from stormproof.providers.chat import ChatRequest
from stormproof.providers.embeddings.request import EmbeddingRequest
from stormproof.providers.http.client import HttpClient
from stormproof.providers.ladder import Ladder
from stormproof.providers.settings.building import LadderBuilder
from stormproof.providers.settings.keeping import Kept
from stormproof.providers.settings.schema import ModelsFile
from stormproof.providers.texts import TextRequest
from support.raw_server import RawServer

Read = Callable[[str], ModelsFile]

ANSWER = {"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
USAGE = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}


def answer(document: Any, status: str = "200 OK", kind: str = "application/json") -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


HELLO = answer({"choices": [ANSWER], "usage": USAGE})
REST = answer({"choices": [{**ANSWER, "message": {"role": "assistant", "content": "lo"}}]})
BROKEN = answer({"error": {"message": "broken"}}, "500 X")
CUT = answer(b'data: {"choices": [{"delta": {"content": "Hel"}}]}\n\n', kind="text/event-stream")


class House:
    """A provider whose answers are the test's own, and settings that name it."""

    def __init__(self, server: RawServer, client: HttpClient, read: Read) -> None:
        self.server = server
        self._client = client
        self._read = read

    async def ladder(
        self, rungs: str, *answers: bytes, provider: str = "", model: str = "", **options: Any
    ) -> Ladder:
        """Return the ladder ``m`` with these rungs."""
        url = (await self.server.answering(*answers)).removesuffix("/x")
        text = f'[providers.house]\nurl = "{url}"\n{provider}\n[models.m]\n{model}\nrungs = {rungs}'
        if "preset" not in provider:
            text = text.replace("url", 'preset = "openai-compatible"\nurl', 1)
        environment = {"OUR_KEY": "k-1"}
        builder = LadderBuilder(self._read(text), self._client, environment, **options)
        return builder.ladders()["m"]

    @property
    def heard(self) -> list[Any]:
        """The documents that it got."""
        return [json.loads(one.partition(b"\r\n\r\n")[2]) for one in self.server.requests]


@pytest.fixture
def house(server: RawServer, client: HttpClient, read: Read) -> House:
    return House(server, client, read)


def asked(**fields: Any) -> ChatRequest:
    return ChatRequest({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields})


async def ask(ladder: Ladder, **fields: Any) -> tuple[str, Journey]:
    journey = Journey()
    return (await ladder.complete(asked(**fields), journey)).text, journey


HOUSE = '{ provider = "house", model = "llama" '


async def test_a_model_of_a_provider_is_asked_as_the_settings_say(house: House) -> None:
    provider = 'key_env = "OUR_KEY"\nkey_header = "X-Key"\nkey_prefix = ""\nheaders = { X-A = "b" }'
    said, journey = await ask(await house.ladder(f"[{HOUSE}}}]", HELLO, provider=provider))
    assert (said, journey.rung, journey.degraded) == ("Hello", "house/llama", False)
    head = house.server.requests[0].partition(b"\r\n\r\n")[0].decode()
    assert head.startswith("POST /v1/chat/completions ")
    assert {"x-key: k-1", "x-a: b"} <= set(head.lower().split("\r\n"))
    assert house.heard[0]["model"] == "llama"


async def test_a_provider_may_speak_anthropics_api(house: House) -> None:
    """And is not asked for what that does not have."""
    text = {"type": "text", "text": "Hello"}
    sent = answer({"content": [text], "stop_reason": "end_turn"})
    provider = 'preset = "anthropic"\nkey_env = "OUR_KEY"\nprefill = true'
    ladder = await house.ladder(f'[{HOUSE}}}, {{ answer = "Sorry." }}]', sent, provider=provider)
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hel"}]
    assert (await ask(ladder, messages=messages))[0] == "Hello"
    assert (await ask(ladder, n=2))[0] == "Sorry."
    head = house.server.requests[0].partition(b"\r\n\r\n")[0].decode()
    assert head.startswith("POST /v1/messages ")
    assert "x-api-key: k-1" in head.split("\r\n")
    [heard] = house.heard
    assert [turn["role"] for turn in heard["messages"]] == ["user", "assistant"]


async def test_a_key_that_is_missing_keeps_a_ladder_from_being_made(house: House) -> None:
    with pytest.raises(ConfigurationError, match="NOT_THERE"):
        await house.ladder(f"[{HOUSE}}}]", provider='key_env = "NOT_THERE"')


async def test_what_nobody_answered_has_a_default(house: House) -> None:
    ladder = await house.ladder(f'[{HOUSE}}}, {{ answer = "Sorry." }}]', BROKEN)
    said, journey = await ask(ladder)
    assert (said, journey.rung, journey.degraded) == ("Sorry.", "default", True)


async def test_a_text_is_no_answer_to_who_wants_a_document(house: House) -> None:
    ladder = await house.ladder(f'[{HOUSE}}}, {{ answer = "Sorry." }}]', BROKEN)
    with pytest.raises(ProviderError):
        await ask(ladder, response_format={"type": "json_schema"})


async def test_an_answer_is_given_again_when_nobody_can(house: House) -> None:
    ladder = await house.ladder(f"[{HOUSE}}}, {{ cached = true }}]", HELLO, BROKEN)
    journeys = [(await ask(ladder))[1] for _ in range(2)]
    assert [(one.rung, one.degraded) for one in journeys] == [
        ("house/llama", False),
        ("cached", True),
    ]


@pytest.mark.parametrize("order", ["weighted", "fastest"])
async def test_last_resorts_come_last_in_any_order(house: House, order: str) -> None:
    """Fast as they are."""
    rungs = f'[{{ cached = true }}, {HOUSE}}}, {{ answer = "Sorry." }}]'
    ladder = await house.ladder(rungs, *[HELLO] * 5, model=f'order = "{order}"')
    assert {(await ask(ladder))[1].rung for _ in range(5)} == {"house/llama"}


async def test_the_engine_is_a_rung(house: House) -> None:
    ladder = await house.ladder("[{ engine = true }]", engine=FixedAnswer("from here"))
    said, journey = await ask(ladder)
    assert (said, journey.degraded) == ("from here", False)


async def test_without_one_its_rung_is_an_error(house: House) -> None:
    with pytest.raises(ConfigurationError, match="none runs"):
        await house.ladder("[{ engine = true }]")


@pytest.mark.parametrize(
    "limit",
    ["requests_per_minute = 2", "tokens_per_minute = 20", "tokens_per_minute = 300"],
)
async def test_who_comes_over_a_limit_is_answered_by_the_next(house: House, limit: str) -> None:
    """At once; tokens count as the provider counted them, not as they were guessed."""
    rungs = f'[{HOUSE}, {limit} }}, {{ answer = "Sorry." }}]'
    ladder = await house.ladder(rungs, *[HELLO] * 100)
    heard = [(await ask(ladder, max_tokens=9))[0] for _ in range(3)]
    allowed = 3 if "300" in limit else 2
    assert heard == ["Hello"] * allowed + ["Sorry."] * (3 - allowed)


async def test_a_request_larger_than_the_limit_is_asked_when_it_is_untouched(house: House) -> None:
    """What it truly takes is known afterwards, and kept back from the others."""
    rungs = f'[{HOUSE}, tokens_per_minute = 20 }}, {{ answer = "Sorry." }}]'
    ladder = await house.ladder(rungs, HELLO)
    assert (await ask(ladder, max_tokens=1000))[0] == "Hello"


async def test_so_many_at_once_and_no_more(house: House) -> None:
    rungs = f'[{HOUSE}, concurrency = 1 }}, {{ answer = "Sorry." }}]'
    ladder = await house.ladder(rungs, CUT)
    async with aclosing(ladder.stream(asked(stream=True), Journey())) as chunks:
        assert (await anext(chunks)).text == "Hel"
        assert (await ask(ladder))[0] == "Sorry."


async def test_a_stream_that_breaks_off_goes_on(house: House) -> None:
    ladder = await house.ladder(f"[{HOUSE}}}]", CUT, REST)
    async with aclosing(ladder.stream(asked(stream=True), Journey())) as chunks:
        assert "".join([chunk.text async for chunk in chunks]) == "Hello"


async def test_or_it_fails_if_that_is_preferred(house: House) -> None:
    ladder = await house.ladder(f"[{HOUSE}}}]", CUT, REST, model='stream = "fail"')
    async with aclosing(ladder.stream(asked(stream=True), Journey())) as chunks:
        with pytest.raises(PartialOutput):
            [chunk async for chunk in chunks]
    assert len(house.heard) == 1


@pytest.mark.parametrize(
    ("provider", "rung", "last"),
    [
        ('preset = "vllm"', "", {"role": "assistant", "content": "Hel"}),
        ('preset = "mistral"', "", {"role": "assistant", "content": "Hel", "prefix": True}),
        ('preset = "mistral"', ", prefill = false", None),
        ("", ", prefill = true", {"role": "assistant", "content": "Hel"}),
        ("", "", None),
    ],
)
async def test_a_beginning_is_given_to_those_who_can_go_on_with_it(
    house: House, provider: str, rung: str, last: Any
) -> None:
    """As their provider wants it; others are asked in words."""
    environment = '\nkey_env = "OUR_KEY"' if "mistral" in provider else ""
    rungs = f"[{HOUSE}{rung} }}]"
    ladder = await house.ladder(rungs, CUT, REST, provider=provider + environment)
    async with aclosing(ladder.stream(asked(stream=True), Journey())) as chunks:
        assert "".join([chunk.text async for chunk in chunks]) == "Hello"
    request = house.heard[1]
    assert (request["messages"][-1] == last) is (last is not None)
    assert request.get("continue_final_message", False) is ("vllm" in provider)


PRICE = ", price = { input = 2, output = 4 }"


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(("price", "cost"), [("", None), (PRICE, 30e-6)])
async def test_an_answer_costs_what_the_settings_say(
    house: House, price: str, cost: float | None, *, streams: bool
) -> None:
    """Where they do not, nobody knows."""
    ladder, journey = await house.ladder(f"[{HOUSE}{price} }}]", HELLO), Journey()
    if streams:
        async with aclosing(ladder.stream(asked(stream=True), journey)) as chunks:
            assert [chunk async for chunk in chunks]
    else:
        await ladder.complete(asked(), journey)
    assert journey.cost == (None if cost is None else pytest.approx(cost))


VECTOR = answer({"data": [{"index": 0, "embedding": [1.0, 2.0]}], "usage": USAGE})


class Hosting:
    """A provider of an embedding model, and settings that name it."""

    def __init__(self, server: RawServer, client: HttpClient, read: Read) -> None:
        self.server = server
        self._client = client
        self._read = read

    async def builder(
        self, rung: str, *answers: bytes, more: str = "", **options: Any
    ) -> LadderBuilder:
        url = (await self.server.answering(*answers)).removesuffix("/x")
        text = f'[providers.house]\npreset = "openai-compatible"\nurl = "{url}"'
        text += f'\nkey_env = "OUR_KEY"\n[embeddings.e]\nrungs = [{rung}]\n{more}'
        return LadderBuilder(self._read(text), self._client, {"OUR_KEY": "k-1"}, **options)

    async def embed(self, rung: str, *answers: bytes, times: int = 1) -> list[Journey]:
        ladder = (await self.builder(rung, *answers)).embedding_ladders()["e"]
        journeys = [Journey() for _ in range(times)]
        for journey in journeys:
            await ladder.embed(EmbeddingRequest({"model": "e", "input": "rain"}), journey)
        return journeys


@pytest.fixture
def hosting(server: RawServer, client: HttpClient, read: Read) -> Hosting:
    return Hosting(server, client, read)


class TestEmbeddings:
    """So do those of embedding models."""

    async def test_a_provider_is_asked_as_the_settings_say(self, hosting: Hosting) -> None:
        [journey] = await hosting.embed('{ provider = "house", model = "e-1" }', VECTOR)
        assert (journey.rung, journey.degraded) == ("house/e-1", False)
        head, _, body = hosting.server.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/embeddings ")
        assert b"authorization: Bearer k-1" in head
        assert json.loads(body) == {"model": "e-1", "input": ["rain"]}

    @pytest.mark.parametrize("limit", ["requests_per_minute = 1", "tokens_per_minute = 10"])
    async def test_limits_hold(self, hosting: Hosting, limit: str) -> None:
        """Tokens as the provider counted them: the first request took them all."""
        with pytest.raises(RateLimitExceeded):
            await hosting.embed(
                f'{{ provider = "house", model = "e-1", {limit} }}', VECTOR, VECTOR, times=2
            )

    async def test_vectors_have_a_price_too(self, hosting: Hosting) -> None:
        rung = f'{{ provider = "house", model = "e-1"{PRICE} }}'
        [journey] = await hosting.embed(rung, VECTOR)
        assert journey.cost == pytest.approx(30e-6)

    async def test_vectors_have_the_length_that_is_told(self, hosting: Hosting) -> None:
        """Unless the client asks for another one."""
        rung = '{ provider = "house", model = "e-1" }'
        builder = await hosting.builder(rung, VECTOR, VECTOR, more="dimensions = 3")
        ladder = builder.embedding_ladders()["e"]
        with pytest.raises(ProviderError, match="vectors of 2 numbers"):
            await ladder.embed(EmbeddingRequest({"model": "e", "input": "rain"}), Journey())
        two = EmbeddingRequest({"model": "e", "input": "rain", "dimensions": 2})
        assert len((await ladder.embed(two, Journey())).vectors[0]) == 2

    async def test_what_was_not_loaded_is_told(self, hosting: Hosting) -> None:
        builder = await hosting.builder('{ embedder = "minilm" }')
        with pytest.raises(ConfigurationError, match="minilm was not loaded"):
            builder.embedding_ladders()

    async def test_a_missing_key_is_found_before_anything_starts(self, hosting: Hosting) -> None:
        builder = await hosting.builder('{ provider = "openai", model = "e-1" }')
        with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
            builder.hosted.check()

    async def test_what_did_not_change_stays_the_same(self, hosting: Hosting) -> None:
        kept = Kept()
        builder = await hosting.builder('{ provider = "house", model = "e-1" }', kept=kept)
        before = builder.embedding_ladders()
        assert builder.embedding_ladders()["e"] is before["e"]


TEXT = answer({"choices": [{"text": " upon", "finish_reason": "stop"}], "usage": USAGE})


@pytest.mark.parametrize(
    ("provider", "rung", "asks"),
    [
        ("", "", False),
        ("completions = true", "", True),
        ("", ", completions = true", True),
        ("completions = true", ", completions = false", False),
        ('preset = "vllm"', "", True),
        ('preset = "anthropic"\nkey_env = "OUR_KEY"', ", completions = true", False),
    ],
)
async def test_texts_are_for_those_who_continue_them(
    house: House, provider: str, rung: str, *, asks: bool
) -> None:
    """Others are not asked."""
    rungs = f'[{HOUSE}{rung} }}, {{ answer = "Sorry." }}]'
    ladder = await house.ladder(rungs, TEXT, provider=provider)
    said = await ladder.complete(TextRequest({"model": "m", "prompt": "Once"}), Journey())
    assert said.text == (" upon" if asks else "Sorry.")
    assert [one["prompt"] for one in house.heard] == ["Once"] * asks
    if asks:
        assert house.server.requests[0].startswith(b"POST /v1/completions ")
