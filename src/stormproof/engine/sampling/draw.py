"""What is asked of a sampler for one token, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stormproof.engine.sampling.params import SamplingParams


@dataclass(frozen=True, slots=True)
class Draw:
    """What the choice of one token depends on, beside the logits.

    Attributes:
        params: How to choose.
        seed: Seed of the sequence.
        position: Position the token will have in the sequence.
        generated: How often each token was generated before, for the penalties.
        allowed: Which tokens may be chosen; all if None. Bit ``t % 32`` of the little-endian
            32-bit word ``t // 32`` stands for token ``t``.
    """

    params: SamplingParams
    seed: int
    position: int
    generated: Mapping[int, int] = field(default_factory=dict)
    allowed: bytes | None = None

    def offsets(self) -> dict[int, float]:
        """Return what penalties and biases add to the logits of tokens."""
        params = self.params
        offsets = dict(params.logit_bias)
        if params.penalises:
            for token, count in self.generated.items():
                penalty = params.presence_penalty + params.frequency_penalty * count
                offsets[token] = offsets.get(token, 0.0) - penalty
        return offsets


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """Log probabilities at one position, as the model gave them before any parameter was applied.

    Attributes:
        token_id: The token that was chosen.
        logprob: Its log probability.
        top: The most probable tokens with theirs, best first.
    """

    token_id: int
    logprob: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Sampled:
    """A chosen token, with log probabilities if they were asked for."""

    token_id: int
    logprobs: TokenLogprobs | None = None
