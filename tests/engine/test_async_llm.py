"""Many requests are answered at once, and whatever happens each of them ends."""

import asyncio
import itertools
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from stormproof.engine.answers.output import Output
from stormproof.engine.async_llm import AsyncLLM
from stormproof.engine.core import EngineCore
from stormproof.engine.embedding.async_embedder import AsyncEmbedder
from stormproof.engine.embedding.embedder import Embedder
from stormproof.engine.engine_thread import EngineThread
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.engine.settings import EngineConfig
from stormproof.errors import (
    CapacityExceeded,
    ConfigurationError,
    ContextTooLong,
    InternalError,
    ServiceUnavailable,
    TensorError,
)
from support.bert_folder import write_bert
from support.scripted_engine import Script, make_core

Serve = Callable[..., AsyncLLM]
GREEDY = SamplingParams(temperature=0, max_tokens=8)


class Gate:
    """A model that writes the first letter of its prompt, one step whenever it is told to."""

    def __init__(self) -> None:
        self._steps = threading.Semaphore(0)
        self.entered = threading.Event()

    def __call__(self, context: list[int]) -> int:
        self.entered.set()
        self._steps.acquire()
        return context[0]

    def open(self, steps: int = 10_000) -> None:
        self._steps.release(steps)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def serve(gate: Gate) -> Iterator[Serve]:
    """Start engines, and stop them in the end, whatever they are stuck in."""
    started: list[AsyncLLM] = []

    def start(
        *script: Script, clock: Callable[[], float] = lambda: 0.0, **settings: Any
    ) -> AsyncLLM:
        core = make_core(*script, **settings)
        started.append(AsyncLLM(EngineThread(core, clock=clock, stall_after=60)))
        return started[-1]

    yield start
    gate.open()
    for llm in started:
        llm.close()


async def read(stream: AsyncIterator[Output]) -> Output:
    """Join the pieces of a stream."""
    answer = await anext(stream)
    async for piece in stream:
        answer = answer.then(piece)
    return answer


async def test_a_bug_met_while_a_request_is_taken_on_ends_it_alone(
    serve: Serve, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm = serve(gate)
    gate.open()
    with monkeypatch.context() as patch:
        patch.setattr(EngineCore, "add", lambda *_, **__: 1 / 0)
        with pytest.raises(InternalError):
            await read(llm.stream([65], GREEDY))
    assert (await read(llm.stream([65], GREEDY))).text == "A" * 8


async def settle(llm: AsyncLLM) -> None:
    """Wait until the engine has nothing to do."""
    await asyncio.wrap_future(llm._host.when_idle())


def all_blocks_are_free(llm: AsyncLLM) -> bool:
    stats = llm.stats()
    return stats.free_blocks == stats.total_blocks and not stats.running and not stats.waiting


async def test_an_answer_comes_in_pieces_as_it_is_generated(serve: Serve, gate: Gate) -> None:
    stream = serve(gate).stream([65], GREEDY)
    for count in range(1, 8):
        gate.open(1)
        piece = await anext(stream)
        assert (piece.text, piece.token_ids) == ("A", (65,))
        assert (piece.completion_tokens, piece.finish_reason) == (count, None)
    gate.open(1)
    assert (await anext(stream)).finish_reason is FinishReason.LENGTH
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_reader_that_lags_gets_what_it_missed_in_one_piece(
    serve: Serve, gate: Gate
) -> None:
    llm = serve(gate)
    stream = llm.stream([65], GREEDY)
    gate.open(1)
    first = await anext(stream)
    gate.open()
    await settle(llm)
    rest = await anext(stream)
    assert (first.text, rest.text, rest.finish_reason) == ("A", "AAAAAAA", FinishReason.LENGTH)


async def test_closing_a_stream_frees_its_blocks(serve: Serve, gate: Gate) -> None:
    llm = serve(gate)
    async with aclosing(llm.stream([65] * 9, SamplingParams(max_tokens=50))) as stream:
        gate.open(2)
        await anext(stream)
        assert not all_blocks_are_free(llm)
    gate.open(1)
    await settle(llm)
    assert all_blocks_are_free(llm)
    assert llm.stats().generated_tokens <= 3


async def test_cancelling_a_reader_gives_its_request_up(serve: Serve, gate: Gate) -> None:
    llm = serve(gate)
    reader = asyncio.create_task(read(llm.stream([65], SamplingParams(max_tokens=50))))
    await asyncio.to_thread(gate.entered.wait)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    gate.open(1)
    await settle(llm)
    assert all_blocks_are_free(llm)


async def test_a_stream_that_is_never_read_asks_for_nothing(serve: Serve) -> None:
    llm = serve()
    stream = llm.stream([65], GREEDY)
    await settle(llm)
    assert llm.stats().prompt_tokens == 0
    assert (await read(stream)).completion_tokens == 8


async def test_an_error_in_the_engine_reaches_its_own_reader_as_it_is(serve: Serve) -> None:
    error = TensorError(reason="device gone")

    def script(context: list[int]) -> int:
        if context[0] == 66 and len(context) == 3:
            raise error
        return context[0]

    llm = serve(script)
    good = asyncio.create_task(read(llm.stream([65], GREEDY)))
    with pytest.raises(TensorError) as caught:
        await read(llm.stream([66], GREEDY, request_id="req-1"))
    assert caught.value is error
    assert error.request_id == "req-1"
    assert (await good).text == "A" * 8


async def test_what_can_never_fit_is_refused_with_its_request_id(serve: Serve) -> None:
    with pytest.raises(ContextTooLong) as caught:
        await read(serve().stream([65] * 64, GREEDY, request_id="req-2"))
    assert caught.value.request_id == "req-2"


async def test_a_full_queue_refuses_and_says_when_to_come_back(serve: Serve, gate: Gate) -> None:
    llm = serve(gate, max_sequences=1, max_waiting=1)
    readers = [asyncio.create_task(read(llm.stream([65], GREEDY)))]
    await asyncio.to_thread(gate.entered.wait)
    readers += [asyncio.create_task(read(llm.stream([65], GREEDY))) for _ in range(2)]
    await asyncio.sleep(0)  # lets the readers ask
    gate.open()
    answers = await asyncio.gather(*readers, return_exceptions=True)
    refusal = answers.pop()
    assert isinstance(refusal, CapacityExceeded)
    assert refusal.retry_after is not None
    assert refusal.retry_after >= 1
    assert all(isinstance(answer, Output) for answer in answers)


async def test_a_flood_of_requests_does_not_hold_up_the_tokens_of_others(
    serve: Serve, gate: Gate
) -> None:
    """Each takes a second to be taken on, as one with a hostile grammar may."""
    seconds = itertools.count()
    seen: list[list[int]] = []

    def script(context: list[int]) -> int:
        seen.append(list(context))
        return gate(context)

    llm = serve(script, clock=lambda: next(seconds), max_sequences=8, num_blocks=64)
    readers = [asyncio.create_task(read(llm.stream([65], GREEDY)))]
    await asyncio.to_thread(gate.entered.wait)
    readers += [asyncio.create_task(read(llm.stream([66 + n], GREEDY))) for n in range(5)]
    await asyncio.sleep(0)  # lets the readers ask
    gate.open()
    await asyncio.gather(*readers)
    before = seen[: seen.index([70])]
    assert len([context for context in before if context[0] == 65]) > 4


async def test_forty_requests_with_random_disconnects_all_end(serve: Serve) -> None:
    """In a cache too small for all of them; those that complete are as if they were alone."""
    llm = serve(max_sequences=8, max_step_tokens=16)
    chance = random.Random(3)

    async def request(number: int) -> bool:
        prompt = [chance.randrange(256) for _ in range(chance.randint(1, 20))]
        params = SamplingParams(max_tokens=chance.randint(1, 40), seed=number)
        leave_after = chance.choice([None, None, None, 1, 3])
        answer: Output | None = None
        async with aclosing(llm.stream(prompt, params)) as stream:
            async for piece in stream:
                answer = answer.then(piece) if answer else piece
                if leave_after and answer.completion_tokens >= leave_after:
                    return False
        return answer == await read(serve().stream(prompt, params))

    completed = await asyncio.gather(*(request(number) for number in range(40)))
    await settle(llm)
    assert sum(completed) > 20
    assert all_blocks_are_free(llm)
    assert llm.stats().preemptions > 0


async def test_draining_lets_running_answers_end_and_refuses_new_ones(
    serve: Serve, gate: Gate
) -> None:
    llm = serve(gate)
    stream = llm.stream([65], GREEDY)
    gate.open(1)
    await anext(stream)
    drained = asyncio.create_task(llm.drain(grace=600))
    await asyncio.sleep(0)  # lets the draining begin
    with pytest.raises(ServiceUnavailable) as caught:
        await read(llm.stream([65], GREEDY))
    assert caught.value.retry_after
    for _ in range(3):
        gate.open(1)
        await anext(stream)
        assert not drained.done()
    gate.open()
    await drained
    assert (await read(stream)).text == "A" * 4
    assert all_blocks_are_free(llm)


async def test_draining_ends_every_stream_in_time_even_if_a_step_hangs(
    serve: Serve, gate: Gate
) -> None:
    llm = serve(gate)
    reader = asyncio.create_task(read(llm.stream([65], GREEDY, request_id="req-3")))
    await asyncio.to_thread(gate.entered.wait)
    await llm.drain(grace=0)
    with pytest.raises(ServiceUnavailable) as caught:
        await reader
    assert caught.value.request_id == "req-3"
    gate.open(1)
    await settle(llm)
    assert all_blocks_are_free(llm)


async def test_an_idle_engine_drains_at_once(serve: Serve) -> None:
    await serve().drain(grace=600)


async def test_it_is_alive_while_steps_finish_or_nothing_waits(serve: Serve, gate: Gate) -> None:
    now = 0.0
    llm = serve(gate, clock=lambda: now)
    now += 3600
    assert llm.alive
    reader = asyncio.create_task(read(llm.stream([65], GREEDY)))
    await asyncio.to_thread(gate.entered.wait)
    assert llm.alive
    now += 61
    assert not llm.alive
    gate.open()
    await reader
    await settle(llm)
    assert llm.alive


async def test_a_closed_engine_ends_its_streams_and_takes_no_more(serve: Serve) -> None:
    llm = serve()
    stream = llm.stream([65], SamplingParams(max_tokens=60))
    await anext(stream)
    llm.close()
    with pytest.raises(ServiceUnavailable):
        await read(stream)
    with pytest.raises(ServiceUnavailable):
        await read(llm.stream([65], GREEDY))
    llm.close()
    assert not llm.alive


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_thread_that_dies_says_so(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """It should not; if a bug ends it all the same, nobody is left waiting."""
    llm = serve()
    monkeypatch.setattr(EngineCore, "step", lambda _: 1 / 0)
    with pytest.raises(InternalError):
        await read(llm.stream([65], GREEDY))
    while llm.alive:  # noqa: ASYNC110 - a thread has no event to wait for
        await asyncio.sleep(0)
    with pytest.raises(ServiceUnavailable):
        await read(llm.stream([65], GREEDY))


async def test_an_event_loop_that_goes_away_takes_its_requests_with_it(serve: Serve) -> None:
    llm = serve()

    async def leave() -> None:
        await anext(llm.stream([65], SamplingParams(max_tokens=50)))

    await asyncio.to_thread(asyncio.run, leave())
    await settle(llm)
    assert all_blocks_are_free(llm)
    assert (await read(llm.stream([65], GREEDY))).completion_tokens == 8


async def test_a_program_that_wants_whole_answers_gets_them() -> None:
    """Of a text, of tokens, and of a conversation; many at once."""
    before = len("<|im_start|>user\n")
    params = SamplingParams(temperature=0, max_tokens=4)
    with AsyncLLM(make_core(lambda context: context[-1], num_blocks=64)) as llm:
        answers = await asyncio.gather(llm.generate("ab", params), llm.generate([99], params))
    assert [answer.text for answer in answers] == ["bbbb", "cccc"]
    with AsyncLLM(make_core(lambda context: context[before], num_blocks=64)) as llm:
        answer = await llm.chat([{"role": "user", "content": "Hello!"}], params)
        assert (answer.text, answer.completion_tokens) == ("HHHH", 4)


async def test_after_the_block_of_an_engine_it_is_closed() -> None:
    with AsyncLLM(make_core()) as llm:
        pass
    with pytest.raises(ServiceUnavailable) as caught:
        await llm.generate("a", request_id="mine")
    assert caught.value.request_id == "mine"


class TestEmbedding:
    """Texts become vectors by a model of its own, beside the answers."""

    @pytest.fixture
    def embedder(self, tmp_path: Path) -> Embedder:
        write_bert(tmp_path)
        return Embedder.load(tmp_path)

    async def test_many_ask_at_once(self, embedder: Embedder) -> None:
        expected = [one.vector for one in embedder.embed(["rain", "storm"])]
        with AsyncLLM(make_core(), AsyncEmbedder(embedder)) as llm:
            found = await asyncio.gather(llm.embed(["rain"]), llm.embed(["storm"]))
        for [one], vector in zip(found, expected, strict=True):
            assert one.vector == pytest.approx(vector, abs=1e-5)

    async def test_the_settings_name_the_model(
        self, embedder: Embedder, tmp_path: Path, model_path: Path
    ) -> None:
        """The engine's process knows nothing of it."""
        config = EngineConfig(model=str(model_path), embedding_model=str(tmp_path), num_blocks=16)
        with AsyncLLM.load(config) as llm:
            [found] = await llm.embed(["rain"])
        assert found.vector.tolist() == embedder.embed(["rain"])[0].vector.tolist()

    async def test_one_that_is_drained_takes_no_more(self, embedder: Embedder) -> None:
        with AsyncLLM(make_core(), AsyncEmbedder(embedder)) as llm:
            await llm.drain(1)
            with pytest.raises(ServiceUnavailable):
                await llm.embed(["rain"])

    async def test_without_such_a_model_it_says_what_to_do(self) -> None:
        with AsyncLLM(make_core()) as llm, pytest.raises(ConfigurationError) as caught:
            await llm.embed(["rain"])
        assert caught.value.setting == "embedding_model"
