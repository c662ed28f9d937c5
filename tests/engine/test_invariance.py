"""A request gets the same tokens alone, in company, and whatever befalls it."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from stormproof.engine import EngineConfig, EngineCore, Output, SamplingParams
from stormproof.engine.drafting.speculation import Speculation
from stormproof.engine.native.runner import why_not_native
from stormproof.engine.start import start_core

WORDS = ["rain", "storm", "sea", "the", "and", "home", "light", "why", "once", "Paris", "7", "\n"]
BLOCKS = 512

Request: TypeAlias = tuple[list[int], SamplingParams]


def start(model: Path, blocks: int = BLOCKS, **settings: Any) -> EngineCore:
    """Start an engine that neither remembers prompts nor guesses, unless it is told to."""
    plain: dict[str, Any] = {"prefix_cache": False, "speculation": "off"}
    config = EngineConfig(
        model=str(model),
        device="cpu",
        threads=1,
        num_blocks=blocks,
        max_step_tokens=96,
        **plain | settings,
    )
    return start_core(config)


def answer(
    core: EngineCore, requests: Sequence[Request], delivered: Sequence[Sequence[int]] = ()
) -> list[Output]:
    """Answer requests together, of which some tokens may have been delivered before."""
    before = delivered or [()] * len(requests)
    pairs = zip(requests, before, strict=True)
    ids = [core.add(*request, generated=tokens) for request, tokens in pairs]
    answers: dict[int, Output] = {}
    while core.has_work:
        for seq_id, piece in core.step():
            answers[seq_id] = answers[seq_id].then(piece) if seq_id in answers else piece
    assert core.stats().free_blocks == core.stats().total_blocks
    return [answers[seq_id] for seq_id in ids]


def tokens(answers: Sequence[Output]) -> list[tuple[int, ...]]:
    return [one.token_ids for one in answers]


@pytest.fixture(scope="module")
def requests(model_path: Path) -> list[Request]:
    """Prompts of all lengths, in which words return: greedy ones, and seeded ones of all kinds."""
    core = start(model_path)
    count = 64 if why_not_native(core.model, 16) is None else 8
    chance = random.Random(1)
    return [
        (
            core.tokenizer.prompt(" ".join(chance.choices(WORDS, k=chance.randint(1, 50)))),
            SamplingParams(
                temperature=number % 2,
                seed=number,
                top_p=chance.choice([0.5, 0.9, 1]),
                frequency_penalty=chance.choice([0, 0, 0.5]),
                max_tokens=40 if number % 6 == 0 else chance.randint(4, 16),
                ignore_eos=True,
            ),
        )
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def alone(model_path: Path, requests: list[Request]) -> list[Output]:
    core = start(model_path)
    return [answer(core, [request])[0] for request in requests]


def test_in_a_batch(model_path: Path, requests: list[Request], alone: list[Output]) -> None:
    assert tokens(answer(start(model_path), requests)) == tokens(alone)


def test_after_a_prefix_hit(model_path: Path, requests: list[Request], alone: list[Output]) -> None:
    core = start(model_path, prefix_cache=True)
    for _ in range(2):
        assert tokens(answer(core, requests)) == tokens(alone)
    assert core.stats().prefix_hit_tokens > core.stats().prompt_tokens / 4


def test_after_losing_its_blocks(
    model_path: Path, requests: list[Request], alone: list[Output]
) -> None:
    """The longest answers at once, in a cache that does not hold them to their end."""
    core = start(model_path, blocks=20, prefix_cache=True)
    order = sorted(range(len(requests)), key=lambda number: -requests[number][1].max_tokens)
    answers = tokens(answer(core, [requests[number] for number in order]))
    assert answers == [alone[number].token_ids for number in order]
    assert core.stats().preemptions > 0


def test_continued_by_another_engine(
    model_path: Path, requests: list[Request], alone: list[Output]
) -> None:
    chance = random.Random(2)
    delivered = [one.token_ids[: chance.randrange(len(one.token_ids))] for one in alone]
    rest = answer(start(model_path), requests, delivered)
    joined = [(*before, *after) for before, after in zip(delivered, tokens(rest), strict=True)]
    assert joined == tokens(alone)


@pytest.fixture
def _rows_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens are guessed whether or not that pays."""
    monkeypatch.setattr(Speculation, "_row_share", lambda *_: 0.02)


@pytest.mark.usefixtures("_rows_are_cheap")
def test_with_guessed_tokens(
    model_path: Path, requests: list[Request], alone: list[Output]
) -> None:
    core = start(model_path, speculation="auto")
    assert tokens(answer(core, requests)) == tokens(alone)
    assert core.stats().drafted_tokens > core.stats().accepted_tokens > 0


@pytest.mark.usefixtures("_rows_are_cheap")
def test_with_tokens_that_a_model_guessed(
    model_path: Path, requests: list[Request], alone: list[Output]
) -> None:
    """By the same model: what it guesses is right, save for penalties that it does not know of."""
    core = start(model_path, speculation="auto", draft_model=str(model_path))
    part = slice(0, len(requests), 4)
    assert tokens(answer(core, requests[part])) == tokens(alone[part])
    assert core.stats().accepted_tokens > 0.7 * core.stats().drafted_tokens > 0
