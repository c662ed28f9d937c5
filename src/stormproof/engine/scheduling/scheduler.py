"""Which sequences take part in the next step, and with how many tokens.

Every step mixes sequences that read their prompt, in chunks, with sequences that generate
(continuous batching, Orca, Yu et al. 2022; chunked prefill, Sarathi-Serve, Agrawal et al. 2024).
Sequences have ranks: they come in order of arrival, but one of a higher priority ranks as if it had
come some requests earlier. Four rules make it certain that every sequence ends:

1. A sequence is accepted only if it fits into the cache alone, at its full length.
2. Blocks go to the running sequence of the first rank, and are taken from that of the last. So the
   first one reads at least one token in every step, until it ends and another is the first.
3. Nothing overtakes: sequences start in order of rank, and one that lost its blocks waits, with its
   tokens, in its old place.
4. A rank is a number of arrivals and never changes. So only a bounded number of those that come
   after a sequence rank before it: it starves no more than it would behind a longer queue.

A sequence that starts shares the full blocks that hold its beginning already, and reads the rest;
where a step reads most of that for another, it starts after it, once for each such other. That
leaves the rules as they are. Alone, a sequence needs as many blocks as if it shared none. What
is taken from the last may free nothing where others own it too; but taking goes on, and once the
first is alone, every block that it does not own is free. And the first in the queue is the first to
start, however little of the others is left to be read. Drafted tokens get only blocks that are not
needed otherwise, and no more than their sequence may need in the end.
"""

import math
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

from stormproof.engine.sampling.draw import Draw
from stormproof.engine.scheduling.blocks import BlockAllocator
from stormproof.engine.scheduling.prefix_index import packed
from stormproof.engine.scheduling.sequence import FinishReason, Sequence, SequenceState
from stormproof.engine.scheduling.service_rate import ServiceRate
from stormproof.engine.scheduling.step_budget import StepBudget
from stormproof.errors import CapacityExceeded, ContextTooLong

_RANK: Final = attrgetter("rank")


@dataclass(frozen=True, slots=True)
class SchedulerLimits:
    """How much the scheduler takes on.

    Attributes:
        context: Tokens that the model can attend to.
        sequences: Sequences that run at once.
        step_tokens: Tokens read in one step; at least ``sequences``.
        waiting: Sequences that wait.
        waiting_tokens: Tokens that waiting sequences have; one sequence alone may have more.
    """

    context: int
    sequences: int
    step_tokens: int
    waiting: int
    waiting_tokens: int


class Chunk(NamedTuple):
    """What is read of a sequence in one step.

    Attributes:
        sequence: The sequence.
        length: How many of its tokens, from the first that was not read yet.
        drafted: Tokens that may follow, read as well to see whether they do.
        draws: How to choose the token after its last one and after each that is drafted; none
            before that is read.
    """

    sequence: Sequence
    length: int
    drafted: tuple[int, ...] = ()
    draws: tuple[Draw, ...] = ()

    @property
    def rows(self) -> int:
        """How many tokens are read."""
        return self.length + len(self.drafted)

    @property
    def is_last(self) -> bool:
        """Whether a new token can be chosen once these are read."""
        return self.length == self.sequence.pending

    def apart(self) -> "Chunk":
        """Return what comes before what is suspected, or all of it where nothing does."""
        before = self.sequence.alone_from - self.sequence.computed
        return Chunk(self.sequence, min(self.length, before)) if before > 0 else self

    def undrafted(self) -> "Chunk":
        """Return what is left without the draft."""
        return Chunk(self.sequence, self.length, (), self.draws[:1])


class Scheduler:
    """Queues, blocks and the token budget; knows nothing of models, threads or time.

    Args:
        limits: How much to take on.
        block_size: Tokens in a cache block.
        allocator: The blocks of the cache.
        rate: What is known of how fast sequences leave.

    Attributes:
        waiting: New and preempted sequences, by rank.
        running: Those that have blocks, by rank.
        budget: How much a step may read.
    """

    def __init__(
        self,
        limits: SchedulerLimits,
        *,
        block_size: int,
        allocator: BlockAllocator,
        rate: ServiceRate,
    ) -> None:
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self.budget = StepBudget(limits.step_tokens)
        self._first_deadline = math.inf
        self.preemptions = 0
        self.prefix_query_tokens = 0
        self.prefix_hit_tokens = 0
        self._limits = limits
        self._block_size = block_size
        self._allocator = allocator
        self._rate = rate

    @property
    def max_sequence_tokens(self) -> int:
        """How many tokens prompt and answer may have together."""
        return min(self._limits.context, self._allocator.total * self._block_size)

    def check_fits(self, prompt_tokens: int, max_tokens: int) -> None:
        """Refuse what could never finish.

        Raises:
            ContextTooLong: Prompt and answer do not fit the model's context or the whole cache.
        """
        limit = self.max_sequence_tokens
        if prompt_tokens + max_tokens > limit:
            raise ContextTooLong(prompt_tokens=prompt_tokens, max_tokens=max_tokens, limit=limit)

    def add(self, sequence: Sequence) -> None:
        """Put a new sequence into the queue, behind all of its rank.

        Raises:
            ContextTooLong: It could never finish.
        """
        self.check_fits(sequence.prompt_length, sequence.params.max_tokens)
        insort(self.waiting, sequence, key=_RANK)
        self._first_deadline = min(self._first_deadline, sequence.urgency.deadline)

    def check_queue(self, tokens: int) -> None:
        """Refuse what the queue is too full for.

        Args:
            tokens: Of the prompt.

        Raises:
            CapacityExceeded: It is; ``retry_after`` is how long it takes to empty.
        """
        queued = sum(len(waiting.tokens) for waiting in self.waiting)
        if len(self.waiting) >= self._limits.waiting:
            self._refuse("queue of requests", self._limits.waiting)
        if self.waiting and queued + tokens > self._limits.waiting_tokens:
            self._refuse("queue of prompt tokens", self._limits.waiting_tokens)

    def _refuse(self, resource: str, limit: int) -> None:
        wait = self._rate.wait_for(len(self.waiting))
        raise CapacityExceeded(resource=resource, limit=limit, retry_after=wait)

    def schedule(self) -> list[Chunk]:
        """Decide on the next step; empty only if there is nothing to do.

        What runs gets a token each, and the first of them what more the budget has. Others start
        only with what is left then.
        """
        self._extend_running()
        taking_part = self.running[: self.budget.tokens]
        spare = self.budget.tokens - len(taking_part)
        chunks: list[Chunk] = []
        for sequence in taking_part:
            more = min(len(sequence.tokens) - sequence.computed - 1, spare)
            chunks.append(Chunk(sequence, 1 + more))
            spare -= more
        for sequence in self._starting(chunks) if spare else ():
            chunks.append(Chunk(sequence, min(sequence.pending, spare)))
            spare -= chunks[-1].length
            if not spare:
                break
        alone = [chunk.apart() for chunk in chunks if chunk.sequence.alone]
        return alone[:1] or chunks

    def _starting(self, chunks: list[Chunk]) -> Iterator[Sequence]:
        """Start what waits for as long as more is asked for; what is read then joins the chunks."""
        while self.waiting and len(self.running) < self._limits.sequences:
            sequence = self.waiting[0]
            known = self._known_blocks(sequence)
            if self._is_read_for_another(sequence, len(known), chunks):
                break
            if not self._has_room(sequence, known):
                break
            self._start(self.waiting.pop(0), known)
            yield sequence

    def _is_read_for_another(self, sequence: Sequence, known: int, chunks: list[Chunk]) -> bool:
        """Say whether these chunks make at least half of what a sequence would have to read known.

        So several answers to one prompt, asked for at once, read it once.
        """
        half = -(-(len(sequence.tokens) - known * self._block_size) // 2)
        end = (known + -(-half // self._block_size)) * self._block_size
        if end >= len(sequence.tokens) or not self._allocator.shares:
            return False
        return any(
            chunk.sequence.computed < end <= chunk.sequence.computed + chunk.length
            and chunk.sequence.tokens[:end] == sequence.tokens[:end]
            for chunk in chunks
        )

    def _start(self, sequence: Sequence, known: list[int]) -> None:
        """Give a sequence the blocks that are known to hold its beginning, and others besides."""
        sequence.transition(SequenceState.RUNNING)
        self._allocator.share(known)
        sequence.blocks = known
        sequence.computed = len(known) * self._block_size
        self._extend(sequence)
        insort(self.running, sequence, key=_RANK)
        self.prefix_query_tokens += len(sequence.tokens)
        self.prefix_hit_tokens += sequence.computed

    def _known_blocks(self, sequence: Sequence) -> list[int]:
        """Find the beginning of a sequence; its last token is always read, to choose the next."""
        full = (len(sequence.tokens) - 1) // self._block_size
        return self._allocator.find(self._piece(sequence, place) for place in range(full))

    def _piece(self, sequence: Sequence, place: int) -> bytes:
        """Return the tokens of one full block; one that waits is asked for them at every step."""
        size = self._block_size
        for known in range(len(sequence.pieces), place + 1):
            sequence.pieces.append(packed(sequence.tokens[known * size : (known + 1) * size]))
        return sequence.pieces[place]

    def _extend_running(self) -> None:
        """Give each running sequence the block for its newest token, at the cost of the last."""
        size = self._block_size
        lacking = [one for one in self.running if len(one.tokens) > len(one.blocks) * size]
        for sequence in lacking:
            while sequence.state is SequenceState.RUNNING and not self._extend(sequence):
                self._preempt(self.running[-1])

    def _extend(self, sequence: Sequence) -> bool:
        """Give a sequence the blocks that its tokens lack, if so many are free."""
        missing = self._missing_blocks(sequence)
        if missing > self._allocator.free:
            return False
        sequence.blocks += self._allocator.allocate(missing)
        return True

    def _has_room(self, sequence: Sequence, known: list[int]) -> bool:
        """Say whether there are blocks for all tokens of a sequence.

        Those that are known count as well where nobody owns them. One block is left to each running
        sequence to grow into: otherwise the newcomer would soon be preempted by them, and its work
        done twice.
        """
        owned = sum(self._allocator.owners(block) > 0 for block in known)
        needed = self._missing_blocks(sequence) - owned
        return self._allocator.free - needed >= len(self.running)

    def _missing_blocks(self, sequence: Sequence, more: int = 0) -> int:
        tokens = len(sequence.tokens) + more
        return -(-tokens // self._block_size) - len(sequence.blocks)

    def _preempt(self, sequence: Sequence) -> None:
        """Take the blocks of a running sequence; it will read all its tokens again."""
        sequence.transition(SequenceState.PREEMPTED)
        self.running.remove(sequence)
        self._release(sequence)
        insort(self.waiting, sequence, key=_RANK)
        self.preemptions += 1

    def reserve(self, sequence: Sequence, count: int) -> int:
        """Give a running sequence blocks for drafted tokens, as long as there are some to spare.

        Args:
            sequence: The sequence.
            count: How many tokens it could use.

        Returns:
            For how many there is room: no more than its answer may still need, but for the one
            that is chosen after them.
        """
        count = min(count, sequence.params.max_tokens - sequence.generated_length - 1)
        spare = max(self._allocator.free - len(self.running), 0)
        missing = min(self._missing_blocks(sequence, count), spare)
        if missing > 0:
            sequence.blocks += self._allocator.allocate(missing)
        return min(count, len(sequence.blocks) * self._block_size - len(sequence.tokens))

    def advance(self, sequence: Sequence, count: int) -> None:
        """Record that tokens of a sequence were read, and make the blocks known that they fill."""
        first = sequence.computed // self._block_size
        sequence.computed += count
        last = sequence.computed // self._block_size
        if first == last:
            return
        blocks = sequence.blocks
        for place in range(first, last):
            before = blocks[place - 1] if place else None
            piece = self._piece(sequence, place)
            blocks[place] = self._allocator.fill(blocks[place], piece, after=before)

    def finish(self, sequence: Sequence, reason: FinishReason) -> None:
        """End a sequence, wherever it is, and take its blocks.

        What a sequence has read that failed may be what it failed from; no other gets it.

        Raises:
            InvalidStateTransition: It has ended already.
        """
        queue = self.running if sequence.state is SequenceState.RUNNING else self.waiting
        sequence.transition(SequenceState.FINISHED)
        sequence.finish_reason = reason
        queue.remove(sequence)
        if reason is FinishReason.ERROR:
            self._allocator.forget(sequence.blocks)
        self._release(sequence)

    def late(self, now: float) -> list[Sequence]:
        """Return what is past its deadline, or waits behind so many that it will be.

        Args:
            now: Seconds, on the clock of the deadlines.
        """
        wait = self._rate.least_wait(len(self.waiting))
        if self._first_deadline > now + wait:
            return []
        free = self._limits.sequences - len(self.running)
        late = [sequence for sequence in self.running if sequence.urgency.deadline <= now] + [
            sequence
            for place, sequence in enumerate(self.waiting)
            if sequence.urgency.deadline <= now + self._rate.least_wait(place + 1 - free)
        ]
        others = {*self.running, *self.waiting}.difference(late)
        self._first_deadline = min((one.urgency.deadline for one in others), default=math.inf)
        return late

    def _release(self, sequence: Sequence) -> None:
        self._allocator.release(sequence.blocks)
        sequence.blocks = []
        sequence.computed = 0
