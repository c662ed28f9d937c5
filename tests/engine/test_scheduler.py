"""The scheduler lets every sequence end, whatever arrives and however small the cache is."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stormproof.engine.blocks import BlockAllocator
from stormproof.engine.sampling import SamplingParams
from stormproof.engine.scheduler import Chunk, Scheduler, SchedulerLimits
from stormproof.engine.sequence import FinishReason, Sequence, SequenceState
from stormproof.engine.service_rate import ServiceRate
from stormproof.errors import CapacityExceeded, ContextTooLong, InvalidStateTransition

BLOCK = 4


class Bench:
    """A scheduler with a model that writes the token 1 for ever, and checks what it is given."""

    def __init__(self, *, blocks: int = 8, **limits: int) -> None:
        defaults = {"context": 10_000, "sequences": 4, "step_tokens": 8}
        limits = defaults | {"waiting": 100, "waiting_tokens": 10_000} | limits
        self.limits = SchedulerLimits(**limits)
        self.allocator = BlockAllocator(blocks)
        self.rate = ServiceRate()
        self.scheduler = Scheduler(
            self.limits, block_size=BLOCK, allocator=self.allocator, rate=self.rate
        )
        self.count = 0

    def sequence(self, prompt: int, max_tokens: int) -> Sequence:
        self.count += 1
        return Sequence(self.count, [0] * prompt, SamplingParams(max_tokens=max_tokens))

    def add(self, prompt: int, max_tokens: int = 1) -> Sequence:
        sequence = self.sequence(prompt, max_tokens)
        self.scheduler.add(sequence)
        return sequence

    def step(self) -> list[Chunk]:
        chunks = self.scheduler.schedule()
        self.check(chunks)
        for chunk in chunks:
            complete = chunk.is_last
            chunk.sequence.computed += chunk.length
            if complete:
                self.generate(chunk.sequence)
        return chunks

    def generate(self, sequence: Sequence) -> None:
        sequence.tokens.append(1)
        if sequence.generated_length == sequence.params.max_tokens:
            self.scheduler.finish(sequence, FinishReason.LENGTH)

    def check(self, chunks: list[Chunk]) -> None:
        """Whatever was decided must be within the budget, and have blocks to be written to."""
        running = self.scheduler.running
        assert [chunk.sequence for chunk in chunks] == running
        assert len(running) <= self.limits.sequences
        assert sum(chunk.length for chunk in chunks) <= self.limits.step_tokens
        for chunk in chunks:
            assert 1 <= chunk.length <= chunk.sequence.pending
            end = chunk.sequence.computed + chunk.length
            assert end <= len(chunk.sequence.blocks) * BLOCK

    def run(self, most_steps: int = 1000) -> None:
        for _ in range(most_steps):
            if not self.step():
                return
        raise AssertionError("no end in sight")


class SchedulerMachine(RuleBasedStateMachine):
    """Random arrivals, steps and aborts in a cache that is always too small."""

    @initialize(
        blocks=st.integers(1, 12),
        sequences=st.integers(1, 4),
        spare_tokens=st.integers(0, 8),
        waiting=st.integers(1, 6),
    )
    def start(self, blocks: int, sequences: int, spare_tokens: int, waiting: int) -> None:
        self.bench = Bench(
            blocks=blocks,
            sequences=sequences,
            step_tokens=sequences + spare_tokens,
            waiting=waiting,
            waiting_tokens=40,
        )
        self.accepted: list[Sequence] = []

    @property
    def unfinished(self) -> list[Sequence]:
        return [s for s in self.accepted if s.state is not SequenceState.FINISHED]

    @rule(prompt=st.integers(1, 30), max_tokens=st.integers(1, 30))
    def arrive(self, prompt: int, max_tokens: int) -> None:
        sequence = self.bench.sequence(prompt, max_tokens)
        fits = prompt + max_tokens <= self.bench.allocator.total * BLOCK
        waiting = self.bench.scheduler.waiting
        room = not waiting or (
            len(waiting) < self.bench.limits.waiting
            and sum(len(one.tokens) for one in waiting) + prompt <= 40
        )
        if not fits:
            with pytest.raises(ContextTooLong):
                self.bench.scheduler.add(sequence)
        elif not room:
            with pytest.raises(CapacityExceeded) as caught:
                self.bench.scheduler.add(sequence)
            assert caught.value.retry_after
        else:
            self.bench.scheduler.add(sequence)
            self.accepted.append(sequence)

    @precondition(lambda self: self.unfinished)
    @rule()
    def step(self) -> None:
        oldest = self.unfinished[0]
        before = (len(oldest.tokens), oldest.computed)
        assert self.bench.step()
        assert (len(oldest.tokens), oldest.computed) > before or oldest not in self.unfinished

    @precondition(lambda self: self.unfinished)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        sequence = data.draw(st.sampled_from(self.unfinished))
        self.bench.scheduler.finish(sequence, FinishReason.ABORTED)

    @precondition(lambda self: self.unfinished)
    @rule()
    def run_to_the_end(self) -> None:
        """No starvation and no livelock: arrivals aside, it takes finitely many steps."""
        work = sum(len(s.tokens) + s.params.max_tokens for s in self.unfinished)
        self.bench.run(most_steps=work * (len(self.unfinished) + 1) + 1)
        assert not self.unfinished

    @invariant()
    def nothing_overtakes(self) -> None:
        running, waiting = self.bench.scheduler.running, self.bench.scheduler.waiting
        assert [*running, *waiting] == self.unfinished

    @invariant()
    def blocks_belong_to_running_sequences_alone(self) -> None:
        owned = [block for s in self.bench.scheduler.running for block in s.blocks]
        assert (
            len(set(owned))
            == len(owned)
            == self.bench.allocator.total - (self.bench.allocator.free)
        )
        idle = [s for s in self.accepted if s.state is not SequenceState.RUNNING]
        assert not any(s.blocks or s.computed for s in idle)


TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def lengths(chunks: list[Chunk]) -> list[int]:
    return [chunk.length for chunk in chunks]


def test_a_long_prompt_is_read_in_chunks() -> None:
    bench = Bench(step_tokens=8)
    bench.add(20)
    assert [lengths(bench.step()) for _ in range(4)] == [[8], [8], [4], []]


def test_generating_goes_on_while_a_prompt_is_read() -> None:
    bench = Bench(step_tokens=8)
    bench.add(3, max_tokens=4)
    bench.step()
    bench.add(20)
    assert [lengths(bench.step()) for _ in range(3)] == [[1, 7], [1, 7], [1, 6]]


def test_an_old_prompt_leaves_a_token_for_everybody_behind_it() -> None:
    bench = Bench(blocks=20, step_tokens=8)
    bench.add(20)
    bench.step()
    bench.add(20)
    assert [lengths(bench.step()) for _ in range(3)] == [[8], [4, 4], [8]]


def test_a_newcomer_starts_in_the_step_after_another_ended() -> None:
    bench = Bench(sequences=1)
    bench.add(2)
    waiting = bench.add(2)
    bench.step()
    assert [chunk.sequence for chunk in bench.step()] == [waiting]


def test_the_newest_loses_its_blocks_and_returns_before_those_behind_it() -> None:
    bench = Bench(blocks=5)
    old, new = bench.add(4, max_tokens=12), bench.add(4, max_tokens=12)
    late = bench.add(4)
    while new.state is not SequenceState.PREEMPTED:
        bench.step()
    assert old.state is SequenceState.RUNNING
    assert list(bench.scheduler.waiting) == [new, late]
    assert bench.scheduler.preemptions == 1
    bench.run()
    assert [s.finish_reason for s in (old, new, late)] == [FinishReason.LENGTH] * 3
    assert bench.allocator.free == 5


@pytest.mark.parametrize(
    ("limits", "limit"), [({"context": 10, "blocks": 8}, 10), ({"context": 99, "blocks": 2}, 8)]
)
def test_what_can_never_fit_is_refused_at_once(limits: Any, limit: int) -> None:
    """The model's context and the whole cache both bound it."""
    bench = Bench(**limits)
    bench.add(limit - 1, max_tokens=1)
    with pytest.raises(ContextTooLong) as caught:
        bench.add(limit - 1, max_tokens=2)
    refusal = caught.value
    assert (refusal.prompt_tokens, refusal.max_tokens, refusal.limit) == (limit - 1, 2, limit)
    assert len(bench.scheduler.waiting) == 1


def test_a_full_queue_says_when_it_will_be_empty() -> None:
    bench = Bench(waiting=3)
    for _ in range(2000):
        bench.rate.record(finished=1, seconds=4)
    for _ in range(3):
        bench.add(1)
    with pytest.raises(CapacityExceeded) as caught:
        bench.add(1)
    assert caught.value.limit == 3
    assert caught.value.retry_after == pytest.approx(12, rel=0.01)


def test_the_queue_is_bounded_in_tokens_but_takes_any_one_prompt() -> None:
    bench = Bench(waiting_tokens=6)
    bench.add(20)
    with pytest.raises(CapacityExceeded) as caught:
        bench.add(1)
    assert caught.value.limit == 6


def test_a_sequence_ends_once() -> None:
    bench = Bench()
    sequence = bench.add(1)
    bench.scheduler.finish(sequence, FinishReason.ABORTED)
    with pytest.raises(InvalidStateTransition):
        bench.scheduler.finish(sequence, FinishReason.ABORTED)
    assert bench.scheduler.schedule() == []
