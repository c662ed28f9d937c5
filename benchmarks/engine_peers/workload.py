"""What every engine is asked: random token ids, greedy, the end of text ignored.

The mixed workload has the shape of nano-vllm's own benchmark, an eighth as big.
"""

import random
from dataclasses import dataclass
from typing import Final

LOWEST, HIGHEST = 100, 10_000
"""Token ids that no model of ours gives a special meaning."""


MOST_AT_ONCE: Final = 32
CACHE_TOKENS: Final = MOST_AT_ONCE * 512
"""What an engine's cache has room for, where that can be said so exactly."""


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt.

    Attributes:
        prompt: Token ids.
        new_tokens: How many tokens to answer with, exactly.
    """

    prompt: list[int]
    new_tokens: int


def single(seed: int = 1) -> list[Request]:
    """Return one request: 128 tokens in, 128 out."""
    return [Request(_tokens(random.Random(seed), 128), 128)]


def several(count: int) -> list[Request]:
    """Return ``single``, ``count`` times with other tokens."""
    return [request for seed in range(1, count + 1) for request in single(seed)]


def mixed() -> list[Request]:
    """Return 32 requests of 16 to 256 tokens in and out: 4,095 in, 3,860 out."""
    rng = random.Random(0)
    prompts = [_tokens(rng, rng.randint(16, 256)) for _ in range(32)]
    return [Request(prompt, rng.randint(16, 256)) for prompt in prompts]


def _tokens(rng: random.Random, count: int) -> list[int]:
    return [rng.randint(LOWEST, HIGHEST) for _ in range(count)]


WORKLOADS: Final = {"single": single(), "eight": several(8), "mixed": mixed()}
"""What is sent at once, by name."""

REPEATS: Final = {"single": 3, "eight": 1, "mixed": 1}
"""How often each is sent in a round; what is short is easily disturbed."""
