"""What is asked: so many requests, with so many tokens in and out."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

_SPEC: Final = re.compile(r"(\d{1,4})x(\d{1,6})(?:-(\d{1,6}))?\+(\d{1,6})(?:-(\d{1,6}))?")
_TOKENS: Final = range(100, 10_000)
"""Ordinary tokens in every vocabulary, so that all engines can be asked the same."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the prompt's tokens, and how many the answer is to have."""

    prompt: Sequence[int]
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests that are sent at once.

    Attributes:
        name: How it was asked for, such as ``32x16-256+16-256``.
        requests: How many requests.
        prompt: The least and the most tokens of a prompt.
        output: The least and the most tokens of an answer.
    """

    name: str
    requests: int
    prompt: tuple[int, int]
    output: tuple[int, int]

    @classmethod
    def parse(cls, spec: str) -> Self:
        """Read ``REQUESTSxPROMPT+OUTPUT``, where a number of tokens may be a range.

        Raises:
            ValueError: It is something else.
        """
        found = _SPEC.fullmatch(spec)
        if not found:
            raise ValueError("must look like 8x128+128 or 32x16-256+16-256")
        requests, *bounds = (int(number) if number else 0 for number in found.groups())
        prompt, output = _bounds(bounds[0], bounds[1]), _bounds(bounds[2], bounds[3])
        if not requests or not 0 < prompt[0] <= prompt[1] or not 0 < output[0] <= output[1]:
            raise ValueError("must have numbers above 0, and ranges that ascend")
        return cls(spec, requests, prompt, output)

    def make(self, seed: int, vocab_size: int) -> list[Request]:
        """Make the requests: random tokens and lengths, the same for the same seed."""
        rng = random.Random(f"{seed} {self.name}")  # noqa: S311 - no secret depends on it
        tokens = range(min(_TOKENS.start, vocab_size // 2), min(_TOKENS.stop, vocab_size))
        return [
            Request(rng.choices(tokens, k=rng.randint(*self.prompt)), rng.randint(*self.output))
            for _ in range(self.requests)
        ]


def _bounds(low: int, high: int) -> tuple[int, int]:
    return low, high or low
