"""How fast each pair of a head's dimensions turns with the position of a token.

Rotary position embedding: Su et al., "RoFormer", https://arxiv.org/abs/2104.09864. Long-context
models slow some of the pairs down; how is said by the checkpoint's *scaling*.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stormproof.engine.checkpoints.loading import Unusable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stormproof.engine.checkpoints.untrusted import Untrusted

MAX_THETA = 1e12
MAX_FACTOR = 1e6


def frequencies(theta: float, head_dim: int) -> tuple[float, ...]:
    """Radians that each pair of dimensions turns per position.

    Returns:
        [head_dim / 2]
    """
    return tuple(theta ** (-2 * pair / head_dim) for pair in range(head_dim // 2))


def scale(turns: Sequence[float], scaling: Untrusted) -> tuple[float, ...]:
    """Slows frequencies down as a Hugging Face ``rope_scaling`` section says.

    Args:
        turns: Radians per position. [head_dim / 2]
        scaling: The section; empty when there is none.

    Raises:
        Unusable: The scaling is of an unsupported kind.
    """
    kind = scaling.text("rope_type", scaling.text("type", "default"))
    match kind:
        case "default":
            return tuple(turns)
        case "linear":
            factor = scaling.number("factor", high=MAX_FACTOR)
            return tuple(turn / factor for turn in turns)
        case "llama3":
            return _scale_as_llama3(turns, scaling)
        case _:
            raise Unusable("this RoPE scaling is not supported; default, linear and llama3 are")


def _scale_as_llama3(turns: Sequence[float], scaling: Untrusted) -> tuple[float, ...]:
    # Pairs that turn often within the original context keep their speed, pairs that hardly turn
    # are slowed by the whole factor, and those between are blended (Llama 3.1 reference code).
    factor = scaling.number("factor", high=MAX_FACTOR)
    low = scaling.number("low_freq_factor", high=MAX_FACTOR)
    high = scaling.number("high_freq_factor", high=MAX_FACTOR)
    context = scaling.integer("original_max_position_embeddings", high=1 << 24)
    if high <= low:
        raise Unusable("high_freq_factor must be over low_freq_factor")

    def slowed(turn: float) -> float:
        rotations = context * turn / (2 * math.pi)
        kept = min(max((rotations - low) / (high - low), 0.0), 1.0)
        return kept * turn + (1 - kept) * turn / factor

    return tuple(map(slowed, turns))
