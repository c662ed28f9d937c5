"""The engine itself: requests in, steps, pieces of answers out."""

import itertools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from stormproof.engine.answers.answer import Answer
from stormproof.engine.answers.output import Output
from stormproof.engine.drafting.prompt_lookup import PromptLookup
from stormproof.engine.drafting.speculation import Drafter, Speculation
from stormproof.engine.sampling.constraint import Grammars
from stormproof.engine.sampling.draw import Sampled
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.batch import ModelRunner
from stormproof.engine.scheduling.blocks import BlockAllocator
from stormproof.engine.scheduling.reading import Reader, Result
from stormproof.engine.scheduling.request_limits import RequestLimits
from stormproof.engine.scheduling.scheduler import Chunk, Scheduler
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.engine.scheduling.sequence import Sequence as TokenSequence
from stormproof.engine.scheduling.service_rate import ServiceRate
from stormproof.engine.scheduling.urgency import USUAL, Urgency
from stormproof.engine.settings import EngineConfig
from stormproof.engine.stats import EngineStats
from stormproof.engine.tokens.detokenizer import Detokenizer
from stormproof.engine.tokens.tokenizer import Tokenizer
from stormproof.errors import (
    DeadlineExceeded,
    InvalidRequest,
    SequenceNotFound,
    StormproofError,
    translate,
)

_SEED_BITS: Final = 64

Piece: TypeAlias = tuple[int, Output]
"""What is new of a request."""


class EngineCore:
    """A model with its queues, advanced step by step by whoever owns it; not thread-safe.

    Whatever happens in a step ends at most the requests it concerns, each with a typed error;
    ``step`` itself does not raise.

    Args:
        runner: The model and its cache.
        tokenizer: Text to tokens and back.
        config: Block size and limits.
        num_blocks: Blocks in the runner's cache.
        drafter: Guesses tokens that the model then verifies; by default as the settings say.
        clock: Seconds, for measuring how long steps take.
        entropy: Random bits, for requests without a seed.

    Attributes:
        limits: What can be answered at all.
    """

    def __init__(
        self,
        runner: ModelRunner,
        tokenizer: Tokenizer,
        config: EngineConfig,
        *,
        num_blocks: int,
        drafter: Drafter | None = None,
        clock: Callable[[], float] = time.monotonic,
        entropy: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self.tokenizer = tokenizer
        self.model = runner.config
        self._runner = runner
        self._config = config
        self._num_blocks = num_blocks
        if drafter is None and config.speculation == "auto":
            drafter = PromptLookup()
        self._drafter = drafter
        self._rate = ServiceRate()
        self._max_draws = config.max_draws
        self._max_sequences = config.max_sequences
        self._clock = clock
        self._entropy = entropy
        self._ids = itertools.count()
        self._answers: dict[int, Answer] = {}
        self._step_seconds = 0.0
        self._steps = self._prompt_tokens = self._generated_tokens = self._finished = 0
        self.reset()
        self.limits: Final = RequestLimits(
            self._scheduler.max_sequence_tokens, runner.config.vocab_size
        )
        self._eos_ids = frozenset(tokenizer.eos_ids) | runner.config.eos_ids
        self._grammars = Grammars(
            tokenizer, eos_ids=self._eos_ids, vocab_size=runner.config.vocab_size
        )

    def reset(self) -> None:
        """Give up every request; forget what the cache holds, what was counted, and who observes.

        For whoever was interrupted at some place in another call, Ctrl-C for instance: nothing that
        it left behind is used again.
        """
        config, drafter = self._config, self._drafter
        if drafter:
            for answer in self._answers.values():
                drafter.forget(answer.sequence)
        self._answers = {}
        self._blocks = BlockAllocator(self._num_blocks, share=config.prefix_cache)
        self._scheduler = Scheduler(
            config.limits(self.model.max_context),
            block_size=config.block_size,
            allocator=self._blocks,
            rate=self._rate,
        )
        self._reader = Reader(self._runner, self._scheduler.budget)
        self._speculation = Speculation(drafter, clock=self._clock) if drafter else None

    @property
    def has_work(self) -> bool:
        """Whether any request has not ended."""
        return bool(self._answers)

    def observe(self, on_read: Callable[[Sequence[Chunk]], None]) -> None:
        """Be told, before each forward pass, what is about to be read; the last observer wins."""
        self._reader.on_read = on_read

    def add(
        self,
        prompt: Sequence[int],
        params: SamplingParams,
        *,
        urgency: Urgency = USUAL,
        generated: Sequence[int] = (),
        admitted: bool = False,
        alone_until: int = 0,
        alone_from: int = 0,
    ) -> int:
        """Accept a request.

        Args:
            prompt: Token ids.
            params: How to answer it.
            urgency: How important it is, and by when it must have been answered. It ends with
                `DeadlineExceeded` then, or as soon as it is clear that it will not even begin.
            generated: What another engine has answered already; only what follows is reported, and
                is what that engine would have reported.
            admitted: Whether another engine has accepted it, so that no queue is too full for it.
            alone_until: How many of its tokens are read in steps of their own, because they may
                bring the engine down.
            alone_from: How many of those come before what is suspected, and are read apart from it.

        Returns:
            The number under which ``step`` reports its output.

        Raises:
            ContextTooLong: Prompt and answer can never fit.
            InvalidRequest: The prompt is empty, names a token that does not exist, or has been
                answered completely; or the grammar cannot be used.
            CapacityExceeded: The queue is full for now.
        """
        self.limits.check(prompt, params)
        self.limits.check_tokens(generated, "generated")
        if not admitted:
            self._scheduler.check_queue(len(prompt))
        seed = self._entropy(_SEED_BITS) if params.seed is None else params.seed
        sequence = TokenSequence(
            next(self._ids),
            list(prompt),
            params,
            seed,
            urgency,
            alone_until=alone_until,
            alone_from=alone_from,
        )
        begun = prompt[max(len(prompt) - params.begun, 0) :]
        matcher = self._grammars.matcher(params.grammar, begun) if params.grammar else None
        answer = Answer(sequence, Detokenizer(self.tokenizer), self._eos_ids, matcher)
        _repeat(answer, generated)
        self._scheduler.add(sequence)
        self._answers[sequence.seq_id] = answer
        self._prompt_tokens += len(prompt)
        return sequence.seq_id

    def abort(self, seq_id: int) -> None:
        """Give a request up and free its blocks; nothing more is reported of it.

        Raises:
            SequenceNotFound: It has ended, or never was.
        """
        if seq_id not in self._answers:
            raise SequenceNotFound(seq_id=seq_id)
        self._end(self._answers[seq_id], FinishReason.ABORTED)

    def step(self) -> list[Piece]:
        """Advance the running requests, each by a token at least as long as memory suffices.

        Returns:
            What is new, by request. The last output of each has a ``finish_reason``.
        """
        started, finished = self._clock(), self._finished
        pieces: list[Piece] = []
        chunks: list[Chunk] = []
        try:
            pieces += self._expire(started)
            chunks = self._scheduler.schedule()
            self._reader.on_read(chunks)  # what its grammar allows may kill as well
            chunks = self._prepare(chunks, pieces)
            for chunk, results in self._reader.read(chunks):
                pieces += self._apply(chunk, results)
        except Exception as error:  # noqa: BLE001 - the loop must outlive any bug below it
            pieces += self._fail_all(error)
        self._measure(chunks, self._finished - finished, self._clock() - started)
        return pieces

    def _measure(self, chunks: Sequence[Chunk], finished: int, seconds: float) -> None:
        self._steps += bool(chunks)
        self._step_seconds += seconds
        busy = len(chunks) / self._max_sequences
        self._rate.record(finished=finished, seconds=seconds, busy=busy)
        if self._speculation and chunks and all(chunk.draws for chunk in chunks):
            self._speculation.record_step(sum(chunk.rows for chunk in chunks), seconds)

    def _expire(self, now: float) -> list[Piece]:
        """End what comes too late."""
        late = [self._answers[sequence.seq_id] for sequence in self._scheduler.late(now)]
        return [self._fail(answer, DeadlineExceeded(operation="the answer")) for answer in late]

    def _prepare(self, chunks: Sequence[Chunk], pieces: list[Piece]) -> list[Chunk]:
        """Say how tokens are chosen; whose grammar fails in that ends, and is not read."""
        drafts = self._drafts(chunks)
        prepared: list[Chunk] = []
        for chunk in chunks:
            answer = self._answers[chunk.sequence.seq_id]
            try:
                prepared.append(_with_draws(chunk, answer, drafts.get(answer.sequence.seq_id, ())))
            except Exception as error:  # noqa: BLE001 - one request must not take others with it
                pieces.append(self._fail(answer, translate(error)))
        return prepared

    def _drafts(self, chunks: Sequence[Chunk]) -> Mapping[int, tuple[int, ...]]:
        """Have tokens guessed where that pays, within what a step may read and choose."""
        if not self._speculation or not chunks:
            return {}
        rows = sum(chunk.length for chunk in chunks)
        spare = min(self._scheduler.budget.tokens - rows, self._max_draws - len(chunks))
        return self._speculation.drafts(chunks, spare, self._scheduler.reserve)

    def _apply(self, chunk: Chunk, results: Sequence[Result]) -> Iterator[Piece]:
        """Record what a chunk led to: all tokens up to the first that was not drafted."""
        answer, sequence = self._answers[chunk.sequence.seq_id], chunk.sequence
        if results and isinstance(results[0], StormproofError):
            yield self._fail(answer, results[0])
            return
        self._scheduler.advance(sequence, chunk.length)
        output, accepted, error = _take(answer, chunk.drafted, results)
        if output:
            self._generated_tokens += len(output.token_ids)
            yield sequence.seq_id, output
        if self._speculation and chunk.drafted:
            self._speculation.record(sequence, len(chunk.drafted), accepted)
        if error:
            yield self._fail(answer, error)
        elif output and output.finish_reason:
            self._end(answer, output.finish_reason)
        elif accepted:
            self._scheduler.advance(sequence, accepted)

    def _fail(self, answer: Answer, error: StormproofError) -> Piece:
        self._end(answer, FinishReason.ERROR)
        return answer.sequence.seq_id, answer.fail(error)

    def _fail_all(self, error: Exception) -> list[Piece]:
        return [self._fail(answer, translate(error)) for answer in tuple(self._answers.values())]

    def _end(self, answer: Answer, reason: FinishReason) -> None:
        if self._speculation:
            self._speculation.forget(answer.sequence)
        self._scheduler.finish(answer.sequence, reason)
        del self._answers[answer.sequence.seq_id]
        self._finished += 1

    def stats(self) -> EngineStats:
        """Count what there is."""
        return EngineStats(
            running=len(self._scheduler.running),
            waiting=len(self._scheduler.waiting),
            waiting_tokens=sum(len(sequence.tokens) for sequence in self._scheduler.waiting),
            free_blocks=self._blocks.free,
            total_blocks=self._blocks.total,
            steps=self._steps,
            step_seconds=self._step_seconds,
            prompt_tokens=self._prompt_tokens,
            generated_tokens=self._generated_tokens,
            finished=self._finished,
            preemptions=self._scheduler.preemptions,
            memory_shortages=self._scheduler.budget.shortages,
            drafted_tokens=self._speculation.drafted if self._speculation else 0,
            accepted_tokens=self._speculation.accepted if self._speculation else 0,
            prefix_query_tokens=self._scheduler.prefix_query_tokens,
            prefix_hit_tokens=self._scheduler.prefix_hit_tokens,
        )


def _repeat(answer: Answer, generated: Sequence[int]) -> None:
    """Bring an answer to where it was when these tokens had been generated."""
    for token in generated:
        if answer.take(Sampled(token)).finish_reason:
            raise InvalidRequest(reason="the answer is complete", param="generated")


def _with_draws(chunk: Chunk, answer: Answer, drafted: tuple[int, ...]) -> Chunk:
    if not chunk.is_last:
        return chunk
    draws = answer.draws(drafted)
    return Chunk(chunk.sequence, chunk.length, drafted[: len(draws) - 1], draws)


def _take(
    answer: Answer, drafted: Sequence[int], results: Sequence[Result]
) -> tuple[Output | None, int, StormproofError | None]:
    """Let an answer have what was chosen, as long as the draft was right and it goes on.

    Returns:
        What that adds to it, how many drafted tokens are part of it, and what put an end to it.
    """
    output: Output | None = None
    for accepted, (guess, result) in enumerate(zip([*drafted, None], results, strict=False)):
        if isinstance(result, StormproofError):
            return output, accepted, result
        try:
            taken = answer.take(result)
        except Exception as error:  # noqa: BLE001 - a tokenizer that fails on one answer only
            return output, accepted, translate(error)
        output = output.then(taken) if output else taken
        if taken.finish_reason or result.token_id != guess:
            return output, accepted, None
    return output, 0, None
