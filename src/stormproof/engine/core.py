"""The engine itself: requests in, steps, pieces of answers out."""

import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final

from stormproof.engine.answer import Answer
from stormproof.engine.batch import ModelRunner
from stormproof.engine.blocks import BlockAllocator
from stormproof.engine.constraint import Grammars
from stormproof.engine.detokenizer import Detokenizer
from stormproof.engine.draw import Draw, Sampled
from stormproof.engine.output import Output
from stormproof.engine.sampling import SamplingParams
from stormproof.engine.scheduler import Chunk, Scheduler
from stormproof.engine.sequence import FinishReason
from stormproof.engine.sequence import Sequence as TokenSequence
from stormproof.engine.service_rate import ServiceRate
from stormproof.engine.settings import EngineConfig
from stormproof.engine.stats import EngineStats
from stormproof.engine.step_batch import step_batch
from stormproof.engine.tokenizer import Tokenizer
from stormproof.errors import InvalidRequest, SequenceNotFound, StormproofError, translate

_SEED_BITS: Final = 64


class EngineCore:
    """A model with its queues, advanced step by step by whoever owns it; not thread-safe.

    Whatever happens in a step ends at most the requests it concerns, each with a typed error;
    ``step`` itself does not raise.

    Args:
        runner: The model and its cache.
        tokenizer: Text to tokens and back.
        config: Block size and limits.
        num_blocks: Blocks in the runner's cache.
        clock: Seconds, for measuring how long steps take.
        entropy: Random bits, for requests without a seed.
    """

    def __init__(
        self,
        runner: ModelRunner,
        tokenizer: Tokenizer,
        config: EngineConfig,
        *,
        num_blocks: int,
        clock: Callable[[], float] = time.monotonic,
        entropy: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self.tokenizer = tokenizer
        self.model = runner.config
        self._runner = runner
        self._blocks = BlockAllocator(num_blocks, share=config.prefix_cache)
        self._rate = ServiceRate()
        self._scheduler = Scheduler(
            config.limits(runner.config.max_context),
            block_size=config.block_size,
            allocator=self._blocks,
            rate=self._rate,
        )
        self._eos_ids = frozenset(tokenizer.eos_ids) | runner.config.eos_ids
        self._grammars = Grammars(
            tokenizer, eos_ids=self._eos_ids, vocab_size=runner.config.vocab_size
        )
        self._clock = clock
        self._entropy = entropy
        self._ids = itertools.count()
        self._answers: dict[int, Answer] = {}
        self._step_seconds = 0.0
        self._steps = self._prompt_tokens = self._generated_tokens = self._finished = 0

    @property
    def has_work(self) -> bool:
        """Whether any request has not ended."""
        return bool(self._answers)

    @property
    def max_sequence_tokens(self) -> int:
        """How many tokens prompt and answer may have together."""
        return self._scheduler.max_sequence_tokens

    def check(self, prompt: Sequence[int], params: SamplingParams) -> None:
        """Refuse what could never be answered; reads only what never changes, so any thread may.

        Raises:
            ContextTooLong: Prompt and answer can never fit.
            InvalidRequest: The prompt is empty, or names a token that does not exist.
        """
        self._scheduler.check_fits(len(prompt), params.max_tokens)
        if not prompt:
            raise InvalidRequest(reason="the prompt has no tokens", param="prompt")
        self._check_tokens(prompt, "prompt")
        self._check_tokens(tuple(params.logit_bias), "logit_bias")

    def _check_tokens(self, tokens: Sequence[int], param: str) -> None:
        vocab = self.model.vocab_size
        if tokens and not 0 <= min(tokens) <= max(tokens) < vocab:
            raise InvalidRequest(
                reason=f"tokens must be below {vocab} and not negative", param=param
            )

    def add(
        self,
        prompt: Sequence[int],
        params: SamplingParams,
        *,
        generated: Sequence[int] = (),
        admitted: bool = False,
        alone_until: int = 0,
    ) -> int:
        """Accept a request.

        Args:
            prompt: Token ids.
            params: How to answer it.
            generated: What another engine has answered already; only what follows is reported, and
                is what that engine would have reported.
            admitted: Whether another engine has accepted it, so that no queue is too full for it.
            alone_until: How many of its tokens are read in steps of their own, because they may
                bring the engine down.

        Returns:
            The number under which ``step`` reports its output.

        Raises:
            ContextTooLong: Prompt and answer can never fit.
            InvalidRequest: The prompt is empty, names a token that does not exist, or has been
                answered completely; or the grammar cannot be used.
            CapacityExceeded: The queue is full for now.
        """
        self.check(prompt, params)
        self._check_tokens(generated, "generated")
        seed = self._entropy(_SEED_BITS) if params.seed is None else params.seed
        sequence = TokenSequence(
            next(self._ids), list(prompt), params, seed, alone_until=alone_until
        )
        matcher = self._grammars.matcher(params.grammar) if params.grammar else None
        answer = Answer(sequence, Detokenizer(self.tokenizer), self._eos_ids, matcher)
        _repeat(answer, generated)
        self._scheduler.add(sequence, admitted=admitted)
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

    def step(self) -> list[tuple[int, Output]]:
        """Advance every running request by at least one token.

        Returns:
            What is new, by request. The last output of each has a ``finish_reason``.
        """
        started, finished = self._clock(), self._finished
        try:
            outputs = self._advance()
        except Exception as error:  # noqa: BLE001 - the loop must outlive any bug below it
            outputs = self._fail_all(error)
        seconds = self._clock() - started
        self._step_seconds += seconds
        self._rate.record(finished=self._finished - finished, seconds=seconds)
        return outputs

    def _advance(self) -> list[tuple[int, Output]]:
        chunks = self._scheduler.schedule()
        self._steps += bool(chunks)
        results = self._read(chunks)
        outputs = [self._apply(*pair) for pair in zip(chunks, results, strict=True)]
        return [output for output in outputs if output]

    def _read(self, chunks: list[Chunk]) -> list[Sequence[Sampled | StormproofError]]:
        """Read chunks, by halves if that fails, until what fails is alone.

        Nothing has moved when a forward pass fails: reading the same tokens again writes the same
        keys and values to the same place.
        """
        if not chunks:
            return []
        try:
            return self._run(chunks)
        except Exception as error:  # noqa: BLE001 - one request must not take others with it
            if len(chunks) == 1:
                return [[translate(error)]]
        half = len(chunks) // 2
        return self._read(chunks[:half]) + self._read(chunks[half:])

    def _run(self, chunks: list[Chunk]) -> list[Sequence[Sampled | StormproofError]]:
        """Read chunks and choose a token for each that reaches the end of its sequence."""
        draws = [
            [_draw(self._answers[chunk.sequence.seq_id])] if chunk.is_last else []
            for chunk in chunks
        ]
        return list(self._runner.step(step_batch(chunks), draws))

    def _apply(
        self, chunk: Chunk, results: Sequence[Sampled | StormproofError]
    ) -> tuple[int, Output] | None:
        """Record what a chunk led to."""
        answer = self._answers[chunk.sequence.seq_id]
        result = results[0] if results else None
        if isinstance(result, StormproofError):
            return self._fail(answer, result)
        self._scheduler.advance(chunk)
        if result is None:
            return None
        try:
            output = answer.take(result)
        except Exception as error:  # noqa: BLE001 - a tokenizer that fails on one answer only
            return self._fail(answer, translate(error))
        self._generated_tokens += 1
        if output.finish_reason:
            self._end(answer, output.finish_reason)
        return answer.sequence.seq_id, output

    def _fail(self, answer: Answer, error: StormproofError) -> tuple[int, Output]:
        self._end(answer, FinishReason.ERROR)
        return answer.sequence.seq_id, answer.fail(error)

    def _fail_all(self, error: Exception) -> list[tuple[int, Output]]:
        return [self._fail(answer, translate(error)) for answer in tuple(self._answers.values())]

    def _end(self, answer: Answer, reason: FinishReason) -> None:
        del self._answers[answer.sequence.seq_id]
        self._scheduler.finish(answer.sequence, reason)
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
            prefix_query_tokens=self._scheduler.prefix_query_tokens,
            prefix_hit_tokens=self._scheduler.prefix_hit_tokens,
        )


def _repeat(answer: Answer, generated: Sequence[int]) -> None:
    """Bring an answer to where it was when these tokens had been generated."""
    for token in generated:
        if answer.take(Sampled(token)).finish_reason:
            raise InvalidRequest(reason="the answer is complete", param="generated")


def _draw(answer: Answer) -> Draw:
    sequence = answer.sequence
    return Draw(
        params=sequence.params,
        seed=sequence.seed,
        position=len(sequence.tokens),
        generated=sequence.generated if sequence.params.penalises else (),
        allowed=answer.matcher.allowed() if answer.matcher else None,
    )
