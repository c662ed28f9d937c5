"""The embedded model answers, and the same whatever goes on around a request."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from stormproof.engine import (
    LLM,
    AsyncLLM,
    EngineConfig,
    EngineCore,
    FinishReason,
    Output,
    SamplingParams,
    Tokenizer,
)
from stormproof.engine.pytorch.runner import TorchRunner
from stormproof.errors import ConfigurationError, ModelLoadError

BLOCKS = 256
BLOCK_SIZE = 4
WORDS = ["rain", "storm", "sea", "the", "and", "home", "light", "why", "once", "Paris", "7", "\n"]

MakeCore = Callable[[int], EngineCore]
Request = tuple[list[int], SamplingParams]


@pytest.fixture(scope="module")
def runner(model_path: Path) -> TorchRunner:
    return TorchRunner.load(model_path, num_blocks=BLOCKS, block_size=BLOCK_SIZE, device="cpu")


@pytest.fixture
def make_core(runner: TorchRunner, tokenizer: Tokenizer) -> MakeCore:
    """Make engines that share the model, and get as many blocks of its cache as they are told."""
    config = EngineConfig(
        model="embedded", block_size=BLOCK_SIZE, max_sequences=8, max_step_tokens=64
    )
    return lambda blocks: EngineCore(runner, tokenizer, config, num_blocks=blocks)


def ask(core: EngineCore, requests: Sequence[Request]) -> list[Output]:
    """Answer requests together."""
    ids = [core.add(*request) for request in requests]
    answers: dict[int, Output] = {}
    while core.has_work:
        for seq_id, piece in core.step():
            answers[seq_id] = answers[seq_id].then(piece) if seq_id in answers else piece
    assert core.stats().free_blocks == core.stats().total_blocks
    return [answers[seq_id] for seq_id in ids]


def random_prompt(chance: random.Random, tokenizer: Tokenizer) -> list[int]:
    return tokenizer.prompt(" ".join(chance.choices(WORDS, k=chance.randint(1, 25))))


def test_it_knows_the_capital_of_france(make_core: MakeCore) -> None:
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    answer = LLM(make_core(BLOCKS)).chat(messages, SamplingParams(temperature=0))
    assert answer.text == "The capital of France is Paris."
    assert answer.finish_reason is FinishReason.STOP


def test_a_stop_text_ends_the_answer_before_it(make_core: MakeCore, tokenizer: Tokenizer) -> None:
    prompt = tokenizer.chat([{"role": "user", "content": "What is the capital of France?"}])
    params = SamplingParams(temperature=0, stop=("France is", "nowhere"))
    [answer] = ask(make_core(BLOCKS), [(prompt, params)])
    assert answer.text == "The capital of "


def test_characters_of_several_tokens_are_streamed_whole(
    make_core: MakeCore, tokenizer: Tokenizer
) -> None:
    core = make_core(BLOCKS)
    core.add(tokenizer.prompt("🦜🎉" * 6), SamplingParams(temperature=0, max_tokens=9))
    pieces = []
    while core.has_work:
        pieces += [output.text for _, output in core.step()]
    # Tokens that were guessed may bring several at once, but never a part of one.
    assert [piece for piece in pieces if piece.strip("🎉")] == []
    assert "".join(pieces) == "🎉" * 3


async def test_forty_requests_with_random_disconnects_in_a_small_cache(
    make_core: MakeCore, tokenizer: Tokenizer
) -> None:
    """Each one that stays gets the greedy answer it gets alone."""
    chance = random.Random(11)
    llm = AsyncLLM(make_core(20))

    async def request(number: int) -> tuple[Request, Output] | None:
        prompt = random_prompt(chance, tokenizer)
        params = SamplingParams(temperature=0, max_tokens=chance.randint(5, 20))
        leave_after = chance.choice([None, None, 1, 3])
        answer: Output | None = None
        async with aclosing(llm.stream(prompt, params, request_id=str(number))) as stream:
            async for piece in stream:
                answer = answer.then(piece) if answer else piece
                if leave_after and answer.completion_tokens >= leave_after:
                    return None
        assert answer
        return (prompt, params), answer

    answered = await asyncio.gather(*(request(number) for number in range(40)))
    await llm.drain(grace=600)
    stats = llm.stats()
    llm.close()
    assert (stats.free_blocks, stats.finished) == (20, 40)
    assert stats.preemptions > 0
    stayed = [pair for pair in answered if pair]
    assert len(stayed) > 10
    for alone, answer in stayed[::4]:
        assert [answer] == ask(make_core(BLOCKS), [alone])


def test_seeded_answers_do_not_depend_on_the_company(
    make_core: MakeCore, tokenizer: Tokenizer
) -> None:
    """Alone, in a batch, and after losing their blocks."""
    chance = random.Random(5)
    requests = [
        (
            random_prompt(chance, tokenizer),
            SamplingParams(seed=number, top_p=0.95, max_tokens=16, logprobs=0),
        )
        for number in range(4)
    ]
    batched = ask(make_core(BLOCKS), requests)
    crowded_core = make_core(16)
    assert [answer.token_ids for answer in ask(crowded_core, requests)] == [
        answer.token_ids for answer in batched
    ]
    assert crowded_core.stats().preemptions > 0
    for request, answer in list(zip(requests, batched, strict=True))[::2]:
        assert ask(make_core(BLOCKS), [request])[0].token_ids == answer.token_ids


def test_answers_are_the_same_cold_warm_and_after_losing_their_blocks(
    make_core: MakeCore, tokenizer: Tokenizer
) -> None:
    """Conversations that begin alike, greedy and seeded, token for token."""
    chance = random.Random(7)
    system = tokenizer.prompt(" ".join(chance.choices(WORDS, k=24)))
    requests = [
        (
            system + random_prompt(chance, tokenizer),
            SamplingParams(temperature=number % 2, seed=number, max_tokens=12),
        )
        for number in range(6)
    ]
    cold = [ask(make_core(BLOCKS), [request])[0] for request in requests]
    roomy, crowded = make_core(BLOCKS), make_core(24)
    for core in (roomy, roomy, crowded, crowded):
        assert ask(core, requests) == cold
    hits = roomy.stats().prefix_hit_tokens
    tails = sum((len(prompt) - 1) % BLOCK_SIZE + 1 for prompt, _ in requests)
    assert hits >= roomy.stats().prompt_tokens // 2 - tails
    assert crowded.stats().preemptions > 0
    assert crowded.stats().prefix_hit_tokens > 0


def test_an_engine_is_loaded_with_a_cache_that_fits_the_memory_it_may_use(
    model_path: Path,
) -> None:
    fractions: list[float] = []
    config = EngineConfig(model=str(model_path), device="cpu", cache_bytes=30_000_000)
    llm = AsyncLLM.load(config, progress=fractions.append)
    llm.close()
    # 16 tokens of 30 layers with keys and values of 3 heads of 64 numbers of 2 bytes.
    assert llm.stats().total_blocks == 30_000_000 // (16 * 30 * 2 * 3 * 64 * 2)
    assert llm.max_sequence_tokens == llm.stats().total_blocks * 16
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_memory_for_less_than_a_block_is_refused(model_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        LLM.load(EngineConfig(model=str(model_path), cache_bytes=1000))
    assert caught.value.setting == "cache_bytes"


def test_a_model_that_is_not_there_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError):
        LLM.load(EngineConfig(model=str(tmp_path / "nothing.gguf")))
