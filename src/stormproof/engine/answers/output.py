"""What comes out of the engine."""

from dataclasses import dataclass, replace

from stormproof.engine.sampling.draw import TokenLogprobs
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.errors import StormproofError


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A piece of an answer, or a whole one.

    Attributes:
        text: The text; in a stream, what is new since the piece before.
        token_ids: The tokens, likewise. A token's text may come with a later token, when it is
            part of a character or may begin a stop text.
        logprobs: Their log probabilities, if they were asked for.
        finish_reason: Why the answer ended; None while it has not.
        prompt_tokens: How many tokens the prompt has.
        completion_tokens: How many tokens were generated up to here.
        error: Why it failed, when ``finish_reason`` is ``error``.
    """

    text: str = ""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprobs, ...] = ()
    finish_reason: FinishReason | None = None
    prompt_tokens: int
    completion_tokens: int
    error: StormproofError | None = None

    def then(self, later: "Output") -> "Output":
        """Join with the piece that came next."""
        return replace(
            later,
            text=self.text + later.text,
            token_ids=self.token_ids + later.token_ids,
            logprobs=self.logprobs + later.logprobs,
        )
