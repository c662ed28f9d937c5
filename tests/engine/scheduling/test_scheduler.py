"""The scheduler lets every sequence end, whatever arrives and however small the cache is."""

import itertools
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.blocks import BlockAllocator
from stormproof.engine.scheduling.scheduler import Chunk, Scheduler, SchedulerLimits
from stormproof.engine.scheduling.sequence import HEAD_START, FinishReason, Sequence, SequenceState
from stormproof.engine.scheduling.service_rate import ServiceRate
from stormproof.engine.scheduling.urgency import Urgency
from stormproof.errors import CapacityExceeded, ContextTooLong, InvalidStateTransition
from stormproof.recovery import Priority


class Bench:
    """A scheduler with a model that writes the token 1 for ever, and checks what it is given.

    The model's cache holds, for each token, all tokens up to it: what it was computed from.
    """

    def __init__(
        self, *, blocks: int = 8, block_size: int = 4, share: bool = True, **limits: int
    ) -> None:
        defaults = {"context": 10_000, "sequences": 4, "step_tokens": 8}
        limits = defaults | {"waiting": 100, "waiting_tokens": 10_000} | limits
        self.limits = SchedulerLimits(**limits)
        self.block_size = block_size
        self.allocator = BlockAllocator(blocks, share=share)
        self.rate = ServiceRate()
        self.scheduler = Scheduler(
            self.limits, block_size=block_size, allocator=self.allocator, rate=self.rate
        )
        self.accepted: list[Sequence] = []
        self.computed_tokens = 0
        self._cache: dict[int, list[int]] = {}
        self._ids = itertools.count()

    @property
    def unfinished(self) -> list[Sequence]:
        return [s for s in self.accepted if s.state is not SequenceState.FINISHED]

    def sequence(self, prompt: int, max_tokens: int, alike: int, **properties: Any) -> Sequence:
        number = next(self._ids)
        tokens = [0] * min(alike, prompt) + [number + 2] * (prompt - alike)
        return Sequence(number, tokens, SamplingParams(max_tokens=max_tokens), **properties)

    def add(
        self, prompt: int, max_tokens: int = 1, *, alike: int = 0, **properties: Any
    ) -> Sequence:
        """Add a sequence that has its first tokens in common with the others, or none."""
        sequence = self.sequence(prompt, max_tokens, alike, **properties)
        self.scheduler.check_fits(prompt, max_tokens)
        self.scheduler.check_queue(prompt)
        self.scheduler.add(sequence)
        self.accepted.append(sequence)
        return sequence

    def end(self, sequence: Sequence, reason: FinishReason) -> None:
        self.scheduler.finish(sequence, reason)
        self.check()

    def step(self) -> list[Chunk]:
        """Make a step, in which the first sequence must move on, or one that is read alone."""
        before = list(self.scheduler.running)
        chunks = self.scheduler.schedule()
        self.check_started(before)
        self.check_chunks(chunks)
        for chunk in chunks:
            complete = chunk.is_last
            self.write(chunk)
            self.scheduler.advance(chunk.sequence, chunk.length)
            if complete:
                self.generate(chunk.sequence)
        self.check()
        return chunks

    def check_started(self, before: list[Sequence]) -> None:
        """The first sequence keeps its blocks, and nothing overtakes."""
        running, waiting = self.scheduler.running, self.scheduler.waiting
        assert before[:1] == [s for s in before[:1] if s in running]
        started = [s for s in running if s not in before]
        if started and waiting:
            assert max(s.rank for s in started) < waiting[0].rank

    def write(self, chunk: Chunk) -> None:
        """Write to blocks that no other sequence owns."""
        sequence, begin = chunk.sequence, chunk.sequence.computed
        for position in range(begin, begin + chunk.length):
            assert self.allocator.owners(sequence.blocks[position // self.block_size]) == 1
            self._cache[self.slot(sequence, position)] = sequence.tokens[: position + 1]
        self.computed_tokens += chunk.length

    def slot(self, sequence: Sequence, position: int) -> int:
        block = sequence.blocks[position // self.block_size]
        return block * self.block_size + position % self.block_size

    def generate(self, sequence: Sequence) -> None:
        sequence.tokens.append(1)
        if sequence.generated_length == sequence.params.max_tokens:
            self.scheduler.finish(sequence, FinishReason.LENGTH)

    def run(self) -> None:
        """Without arrivals, everything ends in finitely many steps: no starvation, no livelock."""
        work = sum(len(s.tokens) + s.params.max_tokens for s in self.unfinished)
        for _ in range(work * (len(self.unfinished) + 1) + 1):
            if not self.step():
                break
        assert not self.unfinished
        assert self.allocator.free == self.allocator.total

    def check_chunks(self, chunks: list[Chunk]) -> None:
        """What was decided is within the budget, and has blocks to be written to."""
        running = self.scheduler.running
        taking_part = [chunk.sequence for chunk in chunks]
        if any(sequence.alone for sequence in taking_part):
            assert len(chunks) == 1
        elif self.scheduler.budget.tokens >= len(running):
            assert sorted(taking_part, key=lambda s: s.rank) == running
        else:
            assert taking_part == running[: self.scheduler.budget.tokens]
        assert bool(chunks) == bool(self.unfinished)
        assert len(running) <= self.limits.sequences
        assert sum(chunk.length for chunk in chunks) <= self.scheduler.budget.tokens
        for chunk in chunks:
            assert 1 <= chunk.length <= chunk.sequence.pending
            end = chunk.sequence.computed + chunk.length
            assert end <= len(chunk.sequence.blocks) * self.block_size

    def check(self) -> None:
        """All is in order, every block is owned as often as it is used, and holds what it should.

        So a hit that is wrong, or a shared block that is written to, is noticed at once.
        """
        running, waiting = self.scheduler.running, self.scheduler.waiting
        assert sorted([*running, *waiting], key=lambda s: s.seq_id) == self.unfinished
        for queue in (running, waiting):
            assert queue == sorted(queue, key=lambda s: s.rank)
        owned = Counter(block for s in running for block in s.blocks)
        assert all(self.allocator.owners(b) == owned[b] for b in range(self.allocator.total))
        assert len(owned) == self.allocator.total - self.allocator.free
        for s in running:
            assert len(set(s.blocks)) == len(s.blocks)
            held = [self._cache[self.slot(s, position)] for position in range(s.computed)]
            assert held == [s.tokens[: position + 1] for position in range(s.computed)]
        idle = [s for s in self.accepted if s.state is not SequenceState.RUNNING]
        assert not any(s.blocks or s.computed for s in idle)


class SchedulerMachine(RuleBasedStateMachine):
    """Any history of arrivals, steps and aborts, against a model of what must be refused."""

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

    @rule(
        prompt=st.integers(1, 30),
        max_tokens=st.integers(1, 30),
        alike=st.integers(0, 30),
        urgency=st.builds(Urgency, st.sampled_from(Priority)),
        alone_until=st.sampled_from([0, 0, 0, 5, 40]),
        alone_from=st.sampled_from([0, 4, 30]),
    )
    def arrive(self, prompt: int, max_tokens: int, alike: int, **properties: Any) -> None:
        waiting = self.bench.scheduler.waiting
        room = not waiting or (
            len(waiting) < self.bench.limits.waiting
            and sum(len(one.tokens) for one in waiting) + prompt <= 40
        )
        if prompt + max_tokens > self.bench.allocator.total * self.bench.block_size:
            with pytest.raises(ContextTooLong):
                self.bench.add(prompt, max_tokens, alike=alike, **properties)
        elif not room:
            with pytest.raises(CapacityExceeded) as caught:
                self.bench.add(prompt, max_tokens, alike=alike, **properties)
            assert caught.value.retry_after
        else:
            self.bench.add(prompt, max_tokens, alike=alike, **properties)

    @precondition(lambda self: self.bench.unfinished)
    @rule()
    def step(self) -> None:
        assert self.bench.step()

    @rule(tokens=st.integers(1, 12))
    def run_out_of_memory(self, tokens: int) -> None:
        self.bench.scheduler.budget.shrink(tokens)

    @rule()
    def have_memory(self) -> None:
        self.bench.scheduler.budget.grow()

    @precondition(lambda self: self.bench.scheduler.running)
    @rule(data=st.data(), count=st.integers(0, 8))
    def reserve(self, data: st.DataObject, count: int) -> None:
        """Room for a draft is never at the cost of others, nor beyond what was proven to fit."""
        scheduler = self.bench.scheduler
        sequence = data.draw(st.sampled_from(scheduler.running))
        granted = scheduler.reserve(sequence, count)
        assert granted <= count
        tokens = len(sequence.tokens) + max(granted, 0)
        assert tokens <= len(sequence.blocks) * self.bench.block_size or granted <= 0
        assert tokens < sequence.prompt_length + sequence.params.max_tokens or granted <= 0
        self.bench.check()

    @precondition(lambda self: self.bench.unfinished)
    @rule(data=st.data(), reason=st.sampled_from([FinishReason.ABORTED, FinishReason.ERROR]))
    def end(self, data: st.DataObject, reason: FinishReason) -> None:
        self.bench.end(data.draw(st.sampled_from(self.bench.unfinished)), reason)

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.bench.run()


TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("seed", range(20))
def test_a_storm_of_long_answers_in_a_small_cache_passes(seed: int) -> None:
    """Long enough, and the cache small enough, that sequences lose their blocks all the time."""
    chance = random.Random(seed)
    bench = Bench(blocks=chance.randint(16, 24), block_size=2, step_tokens=chance.randint(4, 12))
    for _ in range(200):
        if chance.random() < 0.2:
            alike = chance.choice([0, 5, 8])
            bench.add(chance.randint(1, 12), chance.randint(10, 20), alike=alike)
        if bench.unfinished and chance.random() < 0.02:
            bench.end(chance.choice(bench.unfinished), FinishReason.ABORTED)
        bench.step()
    bench.run()
    assert bench.scheduler.preemptions > 10
    assert bench.scheduler.prefix_hit_tokens > 100


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


def test_prompts_are_read_one_after_another() -> None:
    bench = Bench(blocks=20, step_tokens=8)
    bench.add(20)
    bench.add(20)
    assert [lengths(bench.step()) for _ in range(5)] == [[8], [8], [4, 4], [8], [8]]


def test_the_more_important_starts_first_and_the_rest_in_order_of_arrival() -> None:
    bench = Bench(sequences=1)
    order = [Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.NORMAL, Priority.CRITICAL]
    added = [bench.add(1, urgency=Urgency(priority)) for priority in order]
    started = [bench.step()[0].sequence for _ in order]
    assert [added.index(sequence) for sequence in started] == [4, 2, 1, 3, 0]


def test_the_least_important_starts_in_time_whatever_comes_after_it() -> None:
    """Each step of importance is worth a head start of so many requests, and no more."""
    bench = Bench(sequences=1)
    low = bench.add(1, urgency=Urgency(Priority.LOW))
    overtaken = 0
    while low.state is not SequenceState.FINISHED:
        bench.add(1, urgency=Urgency(Priority.CRITICAL))
        bench.step()
        overtaken += 1
    assert overtaken == HEAD_START * (Priority.CRITICAL - Priority.LOW)


def test_an_important_prompt_leaves_a_token_to_those_that_generate() -> None:
    bench = Bench(blocks=20, step_tokens=8)
    bench.add(3, max_tokens=9)
    bench.step()
    bench.add(20, urgency=Urgency(Priority.CRITICAL))
    assert [sorted(lengths(bench.step())) for _ in range(3)] == [[1, 7], [1, 7], [1, 6]]


def test_the_least_important_loses_its_blocks_to_one_that_came_later() -> None:
    bench = Bench(blocks=5)
    low = bench.add(3, max_tokens=12, urgency=Urgency(Priority.LOW))
    bench.step()
    high = bench.add(4, max_tokens=12)
    while not bench.scheduler.preemptions:
        bench.step()
    assert (bench.scheduler.running, bench.scheduler.waiting) == ([high], [low])
    bench.run()


def test_a_step_reads_less_while_memory_is_short() -> None:
    bench = Bench(step_tokens=8)
    for _ in range(3):
        bench.add(4, max_tokens=5)
    assert lengths(bench.step()) == [4, 4]
    bench.scheduler.budget.shrink(4)
    assert lengths(bench.step()) == [1, 1]
    bench.run()


def test_what_is_past_its_deadline_is_late() -> None:
    bench = Bench(sequences=1)
    running, waiting, patient = (
        bench.add(2, 9, urgency=Urgency(deadline=at)) for at in (10, 20, 1000)
    )
    bench.step()
    assert bench.scheduler.late(9.9) == []
    assert bench.scheduler.late(10) == [running]
    bench.end(running, FinishReason.ERROR)
    assert bench.scheduler.late(19.9) == []
    assert bench.scheduler.late(20) == [waiting]
    bench.end(waiting, FinishReason.ERROR)
    assert bench.scheduler.late(999) == []
    assert bench.unfinished == [patient]


def test_what_waits_behind_too_many_is_late_before_its_time() -> None:
    """Requests take 4 s each, so that the third in the queue waits for 6 s at the very least."""
    bench = Bench(sequences=1)
    for _ in range(200):
        bench.rate.record(finished=1, seconds=4)
    bench.add(2, 9)
    bench.step()
    _, _, third, fourth = (bench.add(2, 9, urgency=Urgency(deadline=at)) for at in (5, 5, 5, 9))
    assert bench.scheduler.late(0) == [third]
    bench.end(third, FinishReason.ERROR)
    assert bench.scheduler.late(0) == []
    assert bench.scheduler.late(4.5) == bench.scheduler.waiting
    assert fourth in bench.scheduler.waiting


def test_how_long_requests_take_is_not_guessed() -> None:
    bench = Bench(sequences=1)
    for _ in range(3):
        bench.rate.record(finished=1, seconds=400)
    for _ in range(9):
        bench.add(2, urgency=Urgency(deadline=5))
    assert bench.scheduler.late(0) == []


def test_a_newcomer_starts_in_the_step_after_another_ended() -> None:
    bench = Bench(sequences=1)
    bench.add(2)
    waiting = bench.add(2)
    bench.step()
    assert [chunk.sequence for chunk in bench.step()] == [waiting]


def test_the_newest_loses_its_blocks_and_returns_before_those_behind_it() -> None:
    bench = Bench(blocks=5)
    old, new = bench.add(3, max_tokens=12), bench.add(4, max_tokens=12)
    late = bench.add(8)
    while not bench.scheduler.preemptions:
        bench.step()
    assert bench.scheduler.running == [old]
    assert list(bench.scheduler.waiting) == [new, late]
    assert new.state is SequenceState.PREEMPTED
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


def test_a_prompt_that_is_known_is_read_from_where_it_differs() -> None:
    bench = Bench(step_tokens=32, blocks=20)
    bench.add(20, alike=16)
    bench.run()
    bench.add(22, alike=16)
    assert [lengths(bench.step()) for _ in range(2)] == [[6], []]


def test_the_last_token_of_a_prompt_is_read_even_if_all_is_known() -> None:
    """And with it its block, which is shared and so not written to."""
    bench = Bench(step_tokens=32)
    for expected in ([16], [4], [4]):
        bench.add(16, alike=16)
        assert lengths(bench.step()) == expected
    assert bench.allocator.free == 8


def test_prompts_that_begin_alike_share_their_blocks_while_they_run() -> None:
    bench = Bench(blocks=8, step_tokens=32)
    old = bench.add(18, max_tokens=3, alike=16)
    bench.step()
    new = bench.add(19, max_tokens=2, alike=16)
    assert lengths(bench.step()) == [1, 3]
    assert old.blocks[:4] == new.blocks[:4]
    assert bench.allocator.free == 8 - 6


def test_what_is_read_twice_at_once_is_kept_once() -> None:
    bench = Bench(blocks=20, step_tokens=64)
    first, second = (bench.add(18, max_tokens=5, alike=8) for _ in range(2))
    assert lengths(bench.step()) == [18, 18]
    assert first.blocks[:2] == second.blocks[:2]
    assert bench.allocator.free == 20 - 8


def test_what_a_step_reads_most_of_for_another_starts_in_the_next() -> None:
    bench = Bench(blocks=20, step_tokens=64)
    for _ in range(3):
        bench.add(18, max_tokens=5, alike=18)
    assert [lengths(bench.step()) for _ in range(2)] == [[18], [1, 2, 2]]


def test_nobody_waits_for_what_is_not_shared() -> None:
    bench = Bench(blocks=20, step_tokens=64, share=False)
    for _ in range(3):
        bench.add(18, alike=18)
    assert lengths(bench.step()) == [18, 18, 18]


def test_a_known_beginning_that_nobody_owns_takes_room_as_well() -> None:
    """Five blocks are free. The newcomer needs four that are known, a new one and a spare one."""
    bench = Bench(blocks=8, step_tokens=64)
    bench.add(20, alike=20)
    bench.run()
    old = bench.add(9, max_tokens=20)
    bench.step()
    new = bench.add(18, alike=18)
    bench.step()
    assert (len(old.blocks), bench.allocator.free) == (3, 5)
    assert list(bench.scheduler.waiting) == [new]
    bench.run()


def test_a_sequence_that_lost_its_blocks_finds_those_that_nobody_took() -> None:
    bench = Bench(blocks=12, step_tokens=64)
    old, new = bench.add(20, max_tokens=28), bench.add(16, max_tokens=12)
    while not bench.scheduler.preemptions:
        bench.step()
    bench.end(old, FinishReason.ABORTED)
    before = new.pending
    [chunk] = bench.step()
    assert chunk.sequence is new
    assert chunk.length < 8 < before


def test_what_a_failed_sequence_has_read_is_read_again() -> None:
    bench = Bench(step_tokens=64)
    bench.end(bench.add(20, max_tokens=5, alike=20), FinishReason.ERROR)
    failed = bench.add(20, max_tokens=5, alike=20)
    bench.step()
    bench.end(failed, FinishReason.ERROR)
    bench.add(20, alike=20)
    assert lengths(bench.step()) == [20]


def test_tokens_that_were_found_are_counted_apart() -> None:
    bench = Bench(step_tokens=64)
    for _ in range(2):
        bench.add(14, alike=14)
        bench.run()
    scheduler = bench.scheduler
    assert (scheduler.prefix_query_tokens, scheduler.prefix_hit_tokens) == (28, 12)
    assert bench.computed_tokens == 28 - 12


class Watched(list[int]):
    """Tokens that count how often they are read."""

    reads = 0

    def __getitem__(self, place: Any) -> Any:
        self.reads += isinstance(place, slice)
        return super().__getitem__(place)


def test_what_waits_for_room_is_not_read_again_at_every_step() -> None:
    """However long its known beginning is."""
    bench = Bench(blocks=11)
    first = bench.add(20, max_tokens=12, alike=20)
    while len(first.tokens) < 21:
        bench.step()
    waiting = bench.add(40, alike=20)
    waiting.tokens = tokens = Watched(waiting.tokens)
    bench.step()
    reads = tokens.reads
    assert reads > 0
    for _ in range(5):
        bench.step()
    assert waiting.state is SequenceState.WAITING
    assert tokens.reads == reads
