"""Whatever happens to an engine, each request ends as it would alone, or says what is wrong."""

import math
import random
from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from stormproof.engine.answers.output import Output
from stormproof.engine.core import EngineCore
from stormproof.engine.sampling.draw import Draw, Sampled
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.batch import StepBatch
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.engine.scheduling.sequence import Sequence as TokenSequence
from stormproof.engine.scheduling.urgency import Urgency
from stormproof.engine.settings import EngineConfig
from stormproof.errors import (
    CapacityExceeded,
    ContextTooLong,
    DeadlineExceeded,
    OutOfMemory,
    TensorError,
)
from stormproof.recovery import Priority
from support.byte_tokenizer import EOS, byte_tokenizer
from support.scripted_engine import ScriptedRunner

POISON: Final = 0
BLOCK_SIZE: Final = 4


def writes(context: list[int]) -> int:
    """Write letters in which some repeat, an end now and then, and nothing after poison."""
    if POISON in context:
        raise TensorError(reason="poison")
    state = sum(context[-3:]) % 11
    return EOS if state == 10 and len(context) % 3 == 0 else ord("a") + state


def expected(prompt: Sequence[int], max_tokens: int) -> list[int]:
    context = list(prompt)
    while len(context) < len(prompt) + max_tokens and context[-1] != EOS:
        context.append(writes(context))
    return context[len(prompt) :]


class MoodyRunner(ScriptedRunner):
    """Has memory for so many rows, and sometimes fails in company."""

    memory = 1000
    failures = 0

    def step(
        self, batch: StepBatch, draws: Sequence[Sequence[Draw]]
    ) -> list[list[Sampled | TensorError]]:
        if len(batch.token_ids) > self.memory:
            raise OutOfMemory(device="cpu")
        if self.failures and len(batch.query_lengths) > 1:
            self.failures -= 1
            raise ZeroDivisionError
        return super().step(batch, draws)


class Rumours:
    """Guesses right and wrong, and now and then fails altogether."""

    def __init__(self, seed: int) -> None:
        self.known: set[int] = set()
        self._chance = random.Random(seed)

    def draft(self, wanted: Sequence[tuple[TokenSequence, int]]) -> list[list[int]]:
        self.known |= {sequence.seq_id for sequence, _ in wanted}
        return [self._guess(sequence, count) for sequence, count in wanted]

    def _guess(self, sequence: TokenSequence, count: int) -> list[int]:
        if POISON in sequence.tokens:
            return []
        guess = expected(sequence.tokens, count)
        return [token if self._chance.random() < 0.8 else POISON for token in guess]

    def forget(self, sequence: TokenSequence) -> None:
        self.known.discard(sequence.seq_id)


class Storm(RuleBasedStateMachine):
    """Any history of one engine, against what each request would get alone."""

    @initialize(
        blocks=st.integers(4, 24),
        sequences=st.integers(1, 5),
        spare_tokens=st.integers(0, 12),
        seed=st.none() | st.integers(0, 99),
    )
    def start(self, blocks: int, sequences: int, spare_tokens: int, seed: int | None) -> None:
        self.runner = MoodyRunner(writes, num_blocks=blocks, block_size=BLOCK_SIZE)
        self.now = 0.0
        self.drafter = Rumours(seed) if seed is not None else None
        self.core = EngineCore(
            self.runner,
            byte_tokenizer(),
            EngineConfig(
                model="scripted",
                block_size=BLOCK_SIZE,
                max_sequences=sequences,
                max_step_tokens=sequences + spare_tokens,
                max_waiting=8,
                speculation="off",
            ),
            num_blocks=blocks,
            drafter=self.drafter,
            clock=lambda: self.now,
        )
        self.room = blocks * BLOCK_SIZE
        self.open: dict[int, tuple[list[int], int, float]] = {}
        self.answers: dict[int, Output] = {}

    @rule(
        prompt=st.lists(st.integers(1, 4), min_size=1, max_size=24),
        poisoned=st.sampled_from([False] * 9 + [True]),
        max_tokens=st.integers(1, 20),
        priority=st.sampled_from(Priority),
        timeout=st.none() | st.integers(0, 9),
        delivered=st.sampled_from([0, 0, 0, 2]),
    )
    def arrive(
        self,
        *,
        prompt: list[int],
        poisoned: bool,
        max_tokens: int,
        priority: Priority,
        timeout: int | None,
        delivered: int,
    ) -> None:
        if poisoned:
            prompt[len(prompt) // 2] = POISON
        generated = [] if poisoned else expected(prompt, max_tokens)[:delivered]
        if EOS in generated or len(generated) == max_tokens:
            generated = []
        deadline = math.inf if timeout is None else self.now + timeout
        try:
            number = self.core.add(
                prompt,
                SamplingParams(temperature=0, max_tokens=max_tokens),
                urgency=Urgency(priority, deadline),
                generated=generated,
                alone_until=len(prompt) if delivered else 0,
            )
        except ContextTooLong:
            assert len(prompt) + max_tokens > self.room
        except CapacityExceeded:
            assert self.core.stats().waiting == 8
        else:
            self.open[number] = (prompt, max_tokens, deadline)
            self.answers[number] = Output(
                token_ids=tuple(generated), prompt_tokens=0, completion_tokens=0
            )

    @precondition(lambda self: self.open)
    @rule()
    def step(self) -> None:
        for number, piece in self.core.step():
            assert number in self.open
            self.answers[number] = self.answers[number].then(piece)
            if piece.finish_reason:
                self.check(number)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        del self.open[number]
        running = self.core.stats().running
        self.core.abort(number)
        assert self.core.stats().running <= running

    @rule(seconds=st.integers(1, 4))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(memory=st.integers(1, 12))
    def memory_is_short(self, memory: int) -> None:
        self.runner.memory = memory

    @rule(failures=st.integers(1, 3))
    def steps_fail(self, failures: int) -> None:
        self.runner.failures = failures

    def check(self, number: int) -> None:
        """One that was not too late ends as it does alone, and fails only for what it holds."""
        prompt, max_tokens, deadline = self.open.pop(number)
        answer = self.answers[number]
        right = [] if POISON in prompt else expected(prompt, max_tokens)
        if isinstance(answer.error, DeadlineExceeded):
            assert deadline <= self.now
            assert list(answer.token_ids) == right[: len(answer.token_ids)]
        elif POISON in prompt:
            assert isinstance(answer.error, TensorError)
            assert answer.token_ids == ()
        else:
            assert answer.error is None
            assert list(answer.token_ids) == right
            done = FinishReason.STOP if right[-1] == EOS else FinishReason.LENGTH
            assert answer.finish_reason is done

    def teardown(self) -> None:
        """Without arrivals everything ends, however little memory there is, and nothing leaks."""
        if not hasattr(self, "core"):
            return
        work = sum(len(prompt) + max_tokens for prompt, max_tokens, _ in self.open.values())
        for _ in range((work + 1) * (len(self.open) + 1)):
            if not self.open:
                break
            self.step()
        stats = self.core.stats()
        assert not self.open
        assert not self.core.has_work
        assert (stats.running, stats.waiting) == (0, 0)
        assert stats.free_blocks == stats.total_blocks
        assert not self.drafter or not self.drafter.known


@pytest.fixture(autouse=True)
def _rows_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still in a step, and yet drafts are worth a try."""
    monkeypatch.setattr(
        "stormproof.engine.drafting.speculation.Speculation._row_share", lambda *_: 0.02
    )


TestStorm = Storm.TestCase
TestStorm.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
