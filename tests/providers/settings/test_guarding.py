"""What is known of a provider is known once, and stays known while settings change."""

import gc
import json
from collections.abc import Callable

import pytest

from stormproof.errors import CircuitOpen, StormproofError
from stormproof.providers.candidate import Journey
from stormproof.providers.chat import ChatRequest
from stormproof.providers.http.client import HttpClient
from stormproof.providers.ladder import Ladder
from stormproof.providers.settings.building import LadderBuilder
from stormproof.providers.settings.keeping import Kept
from stormproof.providers.settings.schema import ModelsFile
from support.raw_server import RawServer

Read = Callable[[str], ModelsFile]

ANSWER = {"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
HELLO = json.dumps({"choices": [ANSWER]}).encode()
HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(HELLO), HELLO)
BROKEN = b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"
TO_OPEN = 3


class Gateway:
    """Ladders made of settings again and again, over one provider with a script."""

    def __init__(self, server: RawServer, client: HttpClient, read: Read) -> None:
        self.server = server
        self.environment = {"OUR_KEY": "k-1"}
        self.provider = ""
        self._client = client
        self._read = read
        self._kept = Kept()
        self.url = ""

    async def answering(self, *answers: bytes) -> None:
        self.url = (await self.server.answering(*answers)).removesuffix("/x")

    def ladders(self, models: str) -> dict[str, Ladder]:
        head = f'[providers.house]\npreset = "openai-compatible"\nurl = "{self.url}"\n'
        settings = self._read(f'{head}key_env = "OUR_KEY"\n{self.provider}\n{models}')
        builder = LadderBuilder(settings, self._client, self.environment, kept=self._kept)
        return builder.ladders()


@pytest.fixture
def gateway(server: RawServer, client: HttpClient, read: Read) -> Gateway:
    return Gateway(server, client, read)


async def ask(ladder: Ladder, text: str = "Hi") -> str | StormproofError:
    """Return who answered, or why nobody did."""
    journey = Journey()
    messages = [{"role": "user", "content": text}]
    try:
        await ladder.complete(ChatRequest({"model": "m", "messages": messages}), journey)
    except StormproofError as error:
        return error
    return journey.rung or ""


def model(name: str, *rungs: str, more: str = "") -> str:
    return f"[models.{name}]\n{more}\nrungs = [{', '.join(rungs)}]\n"


def house(llama: str = "llama", more: str = "") -> str:
    return f'{{ provider = "house", model = "{llama}" {more} }}'


SORRY = '{ answer = "Sorry." }'


async def test_a_circuit_opens_for_every_name_that_needs_the_same_model(gateway: Gateway) -> None:
    """And for no other model of the provider."""
    await gateway.answering(*[BROKEN] * TO_OPEN, HELLO)
    ladders = gateway.ladders(
        model("m", house()) + model("n", house()) + model("other", house("qwen"))
    )
    for _ in range(TO_OPEN):
        await ask(ladders["m"])
    assert isinstance(await ask(ladders["n"]), CircuitOpen)
    assert await ask(ladders["other"]) == "house/qwen"


BUSY = b"HTTP/1.1 429 X\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n"


async def test_who_asks_for_a_rest_gets_it_whatever_name_needs_him(gateway: Gateway) -> None:
    """Also when the settings around him change."""
    await gateway.answering(BUSY, HELLO)
    ladders = gateway.ladders(model("m", house(), SORRY) + model("n", house(), SORRY))
    assert [await ask(ladders[name]) for name in ("m", "n")] == ["default", "default"]
    changed = gateway.ladders(model("n", house(more=", weight = 2"), SORRY))["n"]
    assert await ask(changed) == "default"
    assert len(gateway.server.requests) == 1


@pytest.mark.parametrize(
    "limit", ["requests_per_minute = 2", "requests_per_minute = 2\ntokens_per_minute = 100_000"]
)
async def test_a_providers_limit_holds_for_all_its_models_together(
    gateway: Gateway, limit: str
) -> None:
    await gateway.answering(*[HELLO] * 3)
    gateway.provider = limit
    ladders = gateway.ladders(model("m", house(), SORRY) + model("n", house("qwen"), SORRY))
    heard = [await ask(ladders[name]) for name in ("m", "n", "m", "n")]
    assert heard == ["house/llama", "house/qwen", "default", "default"]


@pytest.mark.parametrize(
    ("limit", "others"), [("requests_per_minute = 9", "default"), ("", "house/qwen")]
)
async def test_models_that_share_a_limit_rest_together(
    gateway: Gateway, limit: str, others: str
) -> None:
    """The provider says that the limit is reached; where each has its own, that of one is."""
    await gateway.answering(BUSY, HELLO)
    gateway.provider = limit
    ladders = gateway.ladders(model("m", house(), SORRY) + model("n", house("qwen"), SORRY))
    assert [await ask(ladders[name]) for name in ("m", "n")] == ["default", others]


async def test_a_rungs_limit_is_its_own(gateway: Gateway) -> None:
    await gateway.answering(*[HELLO] * 4)
    rung = house(more=", requests_per_minute = 1")
    ladders = gateway.ladders(model("m", rung, SORRY) + model("n", rung, SORRY))
    heard = [await ask(ladders[name]) for name in ("m", "n", "m", "n")]
    assert heard == ["house/llama", "house/llama", "default", "default"]


async def test_what_a_rung_may_not_ask_takes_nothing_from_its_provider(gateway: Gateway) -> None:
    await gateway.answering(*[HELLO] * 3)
    gateway.provider = "requests_per_minute = 2"
    one = house(more=", requests_per_minute = 1")
    ladders = gateway.ladders(model("m", one, SORRY) + model("n", house(), SORRY))
    heard = [await ask(ladders[name]) for name in ("m", "m", "m", "n")]
    assert heard == ["house/llama", "default", "default", "house/llama"]


async def opened(gateway: Gateway) -> Ladder:
    """Have the circuit of the model opened."""
    await gateway.answering(*[BROKEN] * TO_OPEN, HELLO)
    ladder = gateway.ladders(model("m", house()))["m"]
    for _ in range(TO_OPEN):
        await ask(ladder)
    return ladder


async def test_an_open_circuit_outlives_changes_around_it(gateway: Gateway) -> None:
    before = await opened(gateway)
    after = gateway.ladders(model("m", house(more=", weight = 2"), more="deadline = 9"))["m"]
    assert after is not before
    assert isinstance(await ask(after), CircuitOpen)


@pytest.mark.parametrize("changed", ["key", "url"])
async def test_another_key_or_address_may_be_well(gateway: Gateway, changed: str) -> None:
    before = await opened(gateway)
    if changed == "key":
        gateway.environment = {"OUR_KEY": "k-2"}
    else:
        gateway.url += "/v2"
    assert await ask(gateway.ladders(model("m", house()))["m"]) == "house/llama"
    assert isinstance(await ask(before), CircuitOpen)


async def test_a_limit_stays_spent_and_is_new_when_it_is_another(gateway: Gateway) -> None:
    await gateway.answering(*[HELLO] * 2)
    gateway.provider = "requests_per_minute = 1"
    before = gateway.ladders(model("m", house(), SORRY))["m"]
    assert await ask(before) == "house/llama"
    again = gateway.ladders(model("m", house(more=", weight = 2"), SORRY))["m"]
    assert await ask(again) == "default"
    gateway.provider = "requests_per_minute = 2"
    assert await ask(gateway.ladders(model("m", house(), SORRY))["m"]) == "house/llama"


async def test_cached_answers_outlive_changes_around_them(gateway: Gateway) -> None:
    await gateway.answering(HELLO, *[BROKEN] * TO_OPEN)
    cached = "{ cached = true }"
    before = gateway.ladders(model("m", house(), cached))["m"]
    assert await ask(before) == "house/llama"
    after = gateway.ladders(model("m", house(more=", weight = 2"), cached))["m"]
    assert await ask(after) == "cached"


async def test_a_ladder_of_which_nothing_changed_is_the_same(gateway: Gateway) -> None:
    """With all that it knows of its rungs."""
    await gateway.answering(HELLO)
    before = gateway.ladders(model("m", house()))["m"]
    assert gateway.ladders(model("n", house()) + model("m", house()))["m"] is before


async def test_what_was_counted_goes_on(gateway: Gateway) -> None:
    """Prometheus' counters never go back."""
    await gateway.answering(HELLO, HELLO)
    await ask(gateway.ladders(model("m", house()))["m"])
    after = gateway.ladders(model("m", house(more=", weight = 2")))["m"]
    await ask(after)
    assert after.figures()["house/llama"].outcomes == {"answered": 2}


async def test_what_nobody_uses_any_more_is_forgotten(gateway: Gateway) -> None:
    await opened(gateway)
    gateway.ladders(model("other", house("qwen")))
    gc.collect()
    assert await ask(gateway.ladders(model("m", house()))["m"]) == "house/llama"
