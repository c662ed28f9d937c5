"""Drafts change how fast an answer comes, and nothing else."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormproof.engine.answers.output import Output
from stormproof.engine.core import EngineCore
from stormproof.engine.drafting.draft_model import DraftModel
from stormproof.engine.drafting.prompt_lookup import PromptLookup
from stormproof.engine.drafting.speculation import MAX_DRAFTED, Drafter, Speculation
from stormproof.engine.sampling.draw import Draw, Sampled
from stormproof.engine.sampling.grammar import Grammar
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.batch import StepBatch
from stormproof.engine.scheduling.scheduler import Chunk
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.engine.scheduling.sequence import Sequence as TokenSequence
from stormproof.errors import TensorError
from support.byte_tokenizer import EOS
from support.scripted_engine import Script, ScriptedRunner, babble, make_core

Request = tuple[bytes, SamplingParams]


def echo(context: list[int]) -> int:
    """Write in a circle of six, with an end now and then."""
    return EOS if len(context) % 31 == 0 else ord("a") + len(context) % 6


class Oracle:
    """Knows what a model says, and is wrong now and then, or says too little."""

    def __init__(self, script: Script, seed: int) -> None:
        self._script = script
        self._chance = random.Random(seed)

    def draft(self, wanted: Sequence[tuple[TokenSequence, int]]) -> list[list[int]]:
        return [self._guess(list(sequence.tokens), count) for sequence, count in wanted]

    def _guess(self, context: list[int], count: int) -> list[int]:
        guess = []
        for _ in range(self._chance.randint(0, count)):
            token = self._script(context) if self._chance.random() < 0.8 else 66
            assert isinstance(token, int)
            guess.append(token)
            context.append(token)
        return guess

    def forget(self, sequence: TokenSequence) -> None:
        pass


@pytest.fixture
def _rows_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sequences run, and whatever failed before, drafts are worth a try."""
    monkeypatch.setattr(Speculation, "_row_share", lambda *_: 0.02)


def answers(core: EngineCore, requests: Sequence[Request]) -> list[Output]:
    ids = [core.add(list(prompt), params) for prompt, params in requests]
    found: dict[int, Output] = {}
    while core.has_work:
        for seq_id, piece in core.step():
            found[seq_id] = found[seq_id].then(piece) if seq_id in found else piece
    assert core.stats().free_blocks == core.stats().total_blocks
    return [found[seq_id] for seq_id in ids]


sampled = st.builds(
    SamplingParams,
    temperature=st.sampled_from([0, 1]),
    seed=st.integers(0, 100),
    max_tokens=st.integers(1, 24),
    stop=st.sampled_from([(), ("cd",), ("bb", "fa")]),
    ignore_eos=st.booleans(),
    frequency_penalty=st.sampled_from([0.0, 2.0]),
    logprobs=st.sampled_from([None, 1]),
    grammar=st.sampled_from([None, None, Grammar.regex("([a-f]+ )*"), Grammar.regex("[a-z]{12}")]),
)


def draft_model(script: Script, blocks: int) -> DraftModel:
    """Guess with a model that is of another opinion now and then."""

    def similar(context: list[int]) -> int:
        if len(context) % 7 == 6:
            return 66
        token = script(context)
        assert isinstance(token, int)
        return token

    runner = ScriptedRunner(similar, num_blocks=blocks, block_size=4)
    return DraftModel(runner, block_size=4, step_tokens=5)


requests = st.lists(st.tuples(st.binary(min_size=1, max_size=24), sampled), min_size=1, max_size=6)


@pytest.mark.usefixtures("_rows_are_cheap")
@pytest.mark.parametrize("script", [babble, echo])
@settings(max_examples=60)
@given(
    wanted=requests,
    seed=st.integers(),
    blocks=st.integers(12, 40),
    kind=st.sampled_from(["lookup", "oracle", "model"]),
)
def test_answers_are_the_same_with_and_without(
    script: Script, wanted: list[Request], seed: int, blocks: int, kind: str
) -> None:
    """Greedy and sampled, penalised, held to grammars, ended in any way, in any cache."""
    drafters: dict[str, Drafter] = {
        "lookup": PromptLookup(),
        "oracle": Oracle(script, seed),
        "model": draft_model(script, blocks),
    }
    drafter = drafters[kind]
    limits: dict[str, Any] = {"max_sequences": 4, "max_step_tokens": 24}
    plain = answers(make_core(script, num_blocks=blocks, **limits), wanted)
    core = make_core(script, num_blocks=blocks, drafter=drafter, **limits)
    assert answers(core, wanted) == plain


@pytest.mark.usefixtures("_rows_are_cheap")
def test_a_right_draft_saves_steps() -> None:
    params = SamplingParams(temperature=0, max_tokens=60, ignore_eos=True)
    plain, fast = make_core(echo), make_core(echo, drafter=PromptLookup())
    assert answers(plain, [(b"?", params)]) == answers(fast, [(b"?", params)])
    assert plain.stats().steps == 60
    assert fast.stats().steps < 30
    assert fast.stats().accepted_tokens == 60 - fast.stats().steps
    assert fast.stats().accepted_tokens <= fast.stats().drafted_tokens


@pytest.mark.usefixtures("_rows_are_cheap")
@pytest.mark.parametrize("blocks", [16, 40])
def test_a_small_model_that_agrees_is_believed(blocks: int) -> None:
    """Also where sequences share blocks and lose them: it reads again what lies elsewhere."""
    wanted = [
        (b"the same beginning %d" % number, SamplingParams(temperature=0, max_tokens=30))
        for number in range(4)
    ]
    small = DraftModel(
        ScriptedRunner(babble, num_blocks=blocks, block_size=4), block_size=4, step_tokens=40
    )
    plain, fast = (
        make_core(num_blocks=blocks, drafter=drafter, max_sequences=8) for drafter in (None, small)
    )
    assert answers(fast, wanted) == answers(plain, wanted)
    assert fast.stats().drafted_tokens == fast.stats().accepted_tokens > 60
    assert bool(fast.stats().preemptions) == (blocks == 16)
    assert not small._mirrors


def test_a_small_model_reads_no_more_at_once_than_a_step_may() -> None:
    """It guesses once it has read what came before; meanwhile the large one goes on."""
    rows: list[int] = []

    class Watched(ScriptedRunner):
        def step(
            self, batch: StepBatch, draws: Sequence[Sequence[Draw]]
        ) -> list[list[Sampled | TensorError]]:
            rows.append(len(batch.token_ids))
            return super().step(batch, draws)

    small = DraftModel(Watched(babble, num_blocks=32, block_size=4), block_size=4, step_tokens=8)
    greedy = SamplingParams(temperature=0)
    long = [TokenSequence(n, [n] * 30, greedy, blocks=[*range(9 * n, 9 * n + 9)]) for n in range(2)]
    drafts = 0
    while not all(guesses := small.draft([(sequence, 1) for sequence in long])):
        drafts += 1
        assert sum(rows) <= 8 * drafts + drafts
    assert drafts == 7
    assert guesses == [[babble(sequence.tokens)] for sequence in long]


@pytest.mark.usefixtures("_rows_are_cheap")
def test_a_small_model_that_fails_guesses_nothing() -> None:
    def broken(context: list[int]) -> int:
        raise TensorError(reason="broken")

    small = DraftModel(
        ScriptedRunner(broken, num_blocks=16, block_size=4), block_size=4, step_tokens=5
    )
    params = SamplingParams(temperature=0, max_tokens=9)
    core = make_core(drafter=small)
    assert answers(core, [(b"?", params)]) == answers(make_core(), [(b"?", params)])
    assert core.stats().drafted_tokens == 0


@pytest.mark.usefixtures("_rows_are_cheap")
def test_a_draft_that_breaks_the_step_is_dropped() -> None:
    """The model fails on a token that it would never have written itself."""

    def script(context: list[int]) -> int:
        if 66 in context:
            raise TensorError(reason="poison")
        return babble(context)

    params = SamplingParams(temperature=0, max_tokens=30)
    core = make_core(script, drafter=Oracle(babble, 0))
    assert answers(core, [(b"?", params)]) == answers(make_core(), [(b"?", params)])
    assert core.stats().accepted_tokens


@pytest.mark.usefixtures("_rows_are_cheap")
def test_an_error_after_accepted_tokens_comes_after_them() -> None:
    def script(context: list[int]) -> int:
        if len(context) == 12:
            raise TensorError(reason="poison")
        return echo(context)

    core = make_core(script, drafter=Oracle(echo, 3))
    [answer] = answers(core, [(b"?", SamplingParams(temperature=0, max_tokens=30))])
    assert answer.finish_reason is FinishReason.ERROR
    assert len(answer.token_ids) == 11


def chunk(tokens: int = 5) -> Chunk:
    sequence = TokenSequence(0, [1] * tokens, SamplingParams())
    sequence.computed = tokens - 1
    return Chunk(sequence, 1)


class Parrot:
    """Guesses as much as it may."""

    def draft(self, wanted: Sequence[tuple[TokenSequence, int]]) -> list[list[int]]:
        return [[1] * count for _, count in wanted]

    def forget(self, sequence: TokenSequence) -> None:
        pass


def speculation(row_seconds: float) -> Speculation:
    """Know that a step takes a second, and what each of its rows takes beside that."""
    found = Speculation(Parrot(), clock=lambda: 0.0)
    for step in range(200):
        rows = 1 + step % 8
        found.record_step(rows, 1 + row_seconds * rows)
    return found


def drafted(one: Speculation, running: int, spare: int = 100) -> int:
    """Count what is drafted for each of so many sequences."""
    guesses = one.drafts([chunk()] * running, spare, lambda _, count: count)
    return len(guesses.get(0, ()))


def test_drafts_are_long_where_rows_are_cheap_and_none_where_they_are_dear() -> None:
    lengths = [drafted(speculation(row_seconds), 1) for row_seconds in (0.01, 0.1, 0.3, 1, 10)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 3
    assert lengths[-1] == 0


def test_the_more_sequences_share_a_step_the_less_is_drafted() -> None:
    lengths = [drafted(speculation(0.1), running) for running in (1, 4, 8, 32)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 1
    assert lengths[-1] == 0


def test_drafts_grow_with_success_and_cease_with_failure_for_a_while() -> None:
    one = speculation(0.1)
    sequence = chunk().sequence
    for _ in range(10):
        one.record(sequence, MAX_DRAFTED, MAX_DRAFTED)
    assert drafted(one, 1) == MAX_DRAFTED
    for _ in range(20):
        one.record(sequence, 4, 0)
    waited = 0
    while not drafted(one, 1):
        waited += 1
    assert 5 < waited < 100
    one.forget(sequence)
    assert drafted(one, 1) > 1


class Mute:
    """Thinks for a second, and comes to nothing."""

    def __init__(self) -> None:
        self.now = 0.0

    def draft(self, wanted: Sequence[tuple[TokenSequence, int]]) -> list[list[int]]:
        self.now += 1
        return [[] for _ in wanted]

    def forget(self, sequence: TokenSequence) -> None:
        pass


def test_who_is_slow_and_guesses_nothing_is_asked_now_and_then() -> None:
    """As a small model that fails is, which begins each time at the beginning."""
    mute = Mute()
    one = Speculation(mute, clock=lambda: mute.now)
    for _ in range(50):
        one.record_step(1, 1.0)
        assert not drafted(one, 1)
    assert mute.now < 20


def test_no_more_is_drafted_than_there_is_room_for() -> None:
    one = speculation(0.01)
    assert drafted(one, 1, spare=2) == 2
    assert drafted(one, 1, spare=0) == 0
    assert one.drafts([chunk()], 9, lambda *_: 0) == {}


def test_prompts_and_suspects_are_read_without_drafts() -> None:
    one = speculation(0.01)
    prompt = Chunk(TokenSequence(1, [1] * 5, SamplingParams()), 5)
    suspect = chunk()
    suspect.sequence.alone_until = 9
    assert one.drafts([prompt, suspect], 99, lambda _, count: count) == {}
