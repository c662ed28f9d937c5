"""What can be answered at all, whatever else the engine has to do."""

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from stormproof.engine.sampling.params import SamplingParams
from stormproof.errors import ContextTooLong, InvalidRequest


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The bounds of every request; they never change, so any thread and process may check.

    Attributes:
        sequence_tokens: Tokens that prompt and answer may have together.
        vocab_size: Tokens that there are.
    """

    sequence_tokens: int
    vocab_size: int

    def check(self, prompt: Sequence[int], params: SamplingParams) -> None:
        """Refuse what could never be answered.

        Raises:
            ContextTooLong: Prompt and answer can never fit.
            InvalidRequest: The prompt is empty, or names a token that does not exist.
        """
        tokens, new = len(prompt), params.max_tokens
        if tokens + new > self.sequence_tokens:
            limit = self.sequence_tokens
            raise ContextTooLong(prompt_tokens=tokens, max_tokens=new, limit=limit)
        if not tokens:
            raise InvalidRequest(reason="the prompt has no tokens", param="prompt")
        self.check_tokens(prompt, "prompt")
        self.check_tokens(params.logit_bias.keys(), "logit_bias")

    def check_tokens(self, tokens: Collection[int], param: str) -> None:
        """Refuse tokens that do not exist.

        Raises:
            InvalidRequest: There is such a one, or one that is no integer.
        """
        try:
            array("q", iter(tokens))
        except (TypeError, OverflowError) as error:
            raise InvalidRequest(reason="tokens must be integers", param=param) from error
        if len(tokens) and not 0 <= min(tokens) <= max(tokens) < self.vocab_size:
            reason = f"tokens must be below {self.vocab_size} and not negative"
            raise InvalidRequest(reason=reason, param=param)
