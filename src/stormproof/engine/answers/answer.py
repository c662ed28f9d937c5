"""Turning the tokens that a sequence generates into its answer."""

from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from stormproof.engine.answers.output import Output
from stormproof.engine.answers.stop import StopFilter
from stormproof.engine.sampling.constraint import Matcher
from stormproof.engine.sampling.draw import Draw, Sampled
from stormproof.engine.scheduling.sequence import FinishReason, Sequence
from stormproof.engine.tokens.detokenizer import Detokenizer
from stormproof.errors import StormproofError


class Answer:
    """The text of one sequence, and the judgement of when it is complete.

    Args:
        sequence: Where the tokens are kept.
        detokenizer: Turns them into text; used by this answer alone.
        eos_ids: Tokens with which the model says that it is done; they have no text.
        matcher: Follows it through its grammar, if it has one; used by this answer alone.
    """

    def __init__(
        self,
        sequence: Sequence,
        detokenizer: Detokenizer,
        eos_ids: AbstractSet[int],
        matcher: Matcher | None = None,
    ) -> None:
        self.sequence = sequence
        self.matcher = matcher
        self._detokenizer = detokenizer
        self._eos_ids = frozenset() if sequence.params.ignore_eos else eos_ids
        self._stop = StopFilter(sequence.params.stop)
        self._counts = Counter[int]()

    def draws(self, drafted: tuple[int, ...] = ()) -> tuple[Draw, ...]:
        """Say how to choose the next token, and the one after each that is drafted.

        Returns:
            One draw, and one more for each of the drafted tokens that may be part of the answer.
        """
        sequence, params = self.sequence, self.sequence.params
        if not (drafted or params.penalises or self.matcher):
            return (Draw(params, sequence.seed, len(sequence.tokens)),)
        position = len(sequence.tokens)
        masks = self.matcher.allowed_along(drafted) if self.matcher else [None] * (len(drafted) + 1)
        return tuple(
            [
                Draw(params, sequence.seed, position + place, counts, mask)
                for place, (counts, mask) in enumerate(
                    zip(self._counts_along(drafted), masks, strict=False)
                )
            ]
        )

    def _counts_along(self, drafted: tuple[int, ...]) -> Iterator[Counter[int]]:
        """Yield how often each token was generated, before each of these tokens and after them."""
        counts = self._counts.copy()
        yield counts
        for token in drafted:
            counts = counts.copy()
            if self.sequence.params.penalises:
                counts[token] += 1
            yield counts

    def take(self, sampled: Sampled) -> Output:
        """Append a token and return what it adds to the answer."""
        self.sequence.tokens.append(sampled.token_id)
        if self.sequence.params.penalises:
            self._counts[sampled.token_id] += 1
        text, reason = self._read(sampled.token_id)
        return Output(
            text=text,
            token_ids=(sampled.token_id,),
            logprobs=(sampled.logprobs,) if sampled.logprobs else (),
            finish_reason=reason,
            prompt_tokens=self.sequence.prompt_length,
            completion_tokens=self.sequence.generated_length,
        )

    def fail(self, error: StormproofError) -> Output:
        """Return the end of an answer that will not be completed."""
        return Output(
            finish_reason=FinishReason.ERROR,
            prompt_tokens=self.sequence.prompt_length,
            completion_tokens=self.sequence.generated_length,
            error=error,
        )

    def _read(self, token: int) -> tuple[str, FinishReason | None]:
        if token in self._eos_ids:
            return self._rest(), FinishReason.STOP
        if self.matcher:
            self.matcher.advance(token)
        text = self._stop.push(self._detokenizer.push(token))
        if self._stop.stopped:
            return text, FinishReason.STOP
        if self.matcher and self.matcher.finished:
            return text + self._rest(), FinishReason.STOP
        if self.sequence.generated_length >= self.sequence.params.max_tokens:
            return text + self._rest(), FinishReason.LENGTH
        return text, None

    def _rest(self) -> str:
        return self._stop.push(self._detokenizer.flush()) + self._stop.flush()
