"""Many requests share one embedding model fairly, and none of them can take it down."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from stormproof.engine import AsyncEmbedder, Embedder, Embedding
from stormproof.engine.embedding import async_embedder
from stormproof.engine.embedding.embedder import MAX_STEP_TOKENS
from stormproof.errors import (
    CapacityExceeded,
    ContextTooLong,
    InternalError,
    OutOfMemory,
    ServiceUnavailable,
)
from support.bert_folder import WORDS, write_bert

RAIN, STORM, SEA = (WORDS.index(word) for word in ("rain", "storm", "sea"))


class Gated(Embedder):
    """A model whose steps wait until they are let through, and are written down."""

    def open_gate(self, steps: int = 10_000) -> None:
        for _ in range(steps):
            self.gate.release()

    def compute(self, prompts: Sequence[Sequence[int]]) -> list[Embedding]:
        self.entered.release()
        self.gate.acquire()
        self.steps.append([list(prompt) for prompt in prompts])
        if any(STORM in prompt for prompt in prompts):
            raise self.failure
        return super().compute(prompts)

    gate: threading.Semaphore
    entered: threading.Semaphore
    steps: list[list[list[int]]]
    failure: BaseException


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    write_bert(folder)
    return folder


@pytest.fixture
def gated(model: Path) -> Iterator[Gated]:
    embedder = Gated.load(model)
    embedder.gate = threading.Semaphore(0)
    embedder.entered = threading.Semaphore(0)
    embedder.steps = []
    embedder.failure = RuntimeError("thunder")
    yield embedder
    embedder.open_gate()


class Watched(AsyncEmbedder):
    """Tells when a request is in the queue."""

    queued: asyncio.Event

    def _submit(self, prompts: Sequence[Sequence[int]]) -> Future[list[Embedding]]:
        future = super()._submit(prompts)
        self.queued.set()
        return future


@pytest.fixture
async def embedder(gated: Gated) -> AsyncIterator[Watched]:
    it = Watched(gated, max_waiting_tokens=1000)
    it.queued = asyncio.Event()
    yield it
    gated.open_gate()
    it.close()


async def begin(embedder: Watched, gated: Gated) -> asyncio.Task[list[Embedding]]:
    """Have a request in the middle of its step."""
    task = asyncio.create_task(embedder.embed(["a"]))
    await asyncio.to_thread(gated.entered.acquire)
    return task


async def queued(embedder: Watched, *prompts: list[int]) -> asyncio.Task[list[Embedding]]:
    """Have a request wait in the queue."""
    embedder.queued.clear()
    task = asyncio.create_task(embedder.embed(prompts))
    await embedder.queued.wait()
    return task


async def test_answers_are_those_of_the_model_alone(
    gated: Gated, embedder: Watched, model: Path
) -> None:
    gated.open_gate()
    texts = ["rain", "sea light", "a b c"]
    many = await asyncio.gather(*(embedder.embed(texts) for _ in range(5)))
    alone = Embedder.load(model).embed(texts)
    for found in many:
        for one, other in zip(found, alone, strict=True):
            assert one.vector == pytest.approx(other.vector, abs=1e-5)
            assert one.tokens == other.tokens
    assert await embedder.embed([]) == []


async def test_several_threads_give_the_same_in_order(model: Path) -> None:
    embedder = AsyncEmbedder(Embedder.load(model), threads=3)
    texts = ["rain", "sea light", "a b c"] * 300
    try:
        many = await asyncio.gather(*(embedder.embed(texts) for _ in range(3)))
    finally:
        embedder.close()
    alone = Embedder.load(model).embed(texts[:3]) * 300
    for found in many:
        for one, other in zip(found, alone, strict=True):
            assert one.vector == pytest.approx(other.vector, abs=1e-5)


async def test_threads_compute_steps_at_the_same_time(gated: Gated) -> None:
    embedder = AsyncEmbedder(gated, threads=2)
    try:
        task = asyncio.create_task(embedder.embed([[RAIN] * 24] * 40))
        for _ in range(2):
            await asyncio.to_thread(gated.entered.acquire)
        gated.open_gate()
        assert len(await task) == 40
    finally:
        gated.open_gate()
        embedder.close()


async def test_a_request_of_many_texts_does_not_hold_up_one_of_few(
    gated: Gated, embedder: Watched
) -> None:
    first = await begin(embedder, gated)
    many = await queued(embedder, *[[RAIN] * 24] * 30)
    few = await queued(embedder, [SEA], [SEA, SEA])
    gated.open_gate()
    await asyncio.gather(first, many, few)
    assert gated.steps[1][:5] == [[RAIN] * 24, [SEA], [RAIN] * 24, [SEA, SEA], [RAIN] * 24]


async def test_a_queue_that_is_full_says_when_to_come_back(gated: Gated, embedder: Watched) -> None:
    first = await begin(embedder, gated)
    second = await queued(embedder, *[[RAIN] * 24] * 41)
    with pytest.raises(CapacityExceeded) as caught:
        await embedder.embed([[SEA] * 17])
    assert caught.value.retry_after is not None
    third = await queued(embedder, [SEA] * 16)
    gated.open_gate()
    await asyncio.gather(first, second, third)


async def test_what_is_larger_than_the_queue_is_let_in_alone(
    gated: Gated, embedder: Watched
) -> None:
    gated.open_gate()
    assert len(await embedder.embed([[RAIN] * 24] * 100)) == 100
    assert max(sum(map(len, step)) for step in gated.steps) <= MAX_STEP_TOKENS


async def test_whoever_leaves_takes_no_more_time(gated: Gated, embedder: Watched) -> None:
    first = await begin(embedder, gated)
    gone = await queued(embedder, [RAIN])
    stays = await queued(embedder, [SEA])
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    gated.open_gate()
    await asyncio.gather(first, stays)
    assert [RAIN] not in [prompt for step in gated.steps for prompt in step]


@pytest.mark.parametrize(
    ("failure", "error"), [(RuntimeError("x"), InternalError), (OutOfMemory(), OutOfMemory)]
)
async def test_a_request_that_fails_fails_alone(
    gated: Gated, embedder: Watched, failure: Exception, error: type[Exception]
) -> None:
    gated.failure = failure
    first = await begin(embedder, gated)
    bad = await queued(embedder, [STORM], [RAIN])
    good = await queued(embedder, [SEA])
    gated.open_gate()
    with pytest.raises(error):
        await bad
    assert len(await good) == len(await first) == 1
    assert len(await embedder.embed(["sea"])) == 1


async def test_a_text_that_is_too_long_never_gets_into_the_queue(
    gated: Gated, embedder: Watched
) -> None:
    with pytest.raises(ContextTooLong):
        await embedder.embed(["a " * 100])
    gated.open_gate()
    assert len(await embedder.embed(["a " * 100], truncate=True)) == 1


async def test_draining_waits_for_what_there_is(gated: Gated, embedder: Watched) -> None:
    first = await begin(embedder, gated)
    second = await queued(embedder, [SEA])
    await embedder.drain(grace=0)
    assert not second.done()
    gated.open_gate()
    await embedder.drain(grace=600)
    assert len(await first) == len(await second) == 1


async def test_closing_ends_what_waits(
    gated: Gated, embedder: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await begin(embedder, gated)
    second = await queued(embedder, [SEA])
    monkeypatch.setattr(async_embedder, "_LAST_STEP", 0)
    embedder.close()
    gated.open_gate()
    assert len(await first) == 1
    with pytest.raises(ServiceUnavailable):
        await second
    with pytest.raises(ServiceUnavailable):
        await embedder.embed(["sea"])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_thread_that_dies_takes_its_requests_along(gated: Gated, embedder: Watched) -> None:
    """Nobody waits for what will never come, and health says so."""
    gated.failure = SystemExit()
    first = await begin(embedder, gated)
    deadly = await queued(embedder, [STORM])
    assert embedder.alive
    gated.open_gate()
    assert len(await first) == 1
    with pytest.raises(ServiceUnavailable):
        await deadly
    with pytest.raises(ServiceUnavailable):
        await embedder.embed(["sea"])
    embedder.close()
    assert not embedder.alive
