"""How long an open circuit leaves its dependency alone."""

from dataclasses import dataclass
from typing import Self

from stormproof.errors import Problems
from stormproof.recovery.clock import current_clock
from stormproof.recovery.options import check_seconds, is_number


@dataclass(frozen=True)
class GrowingBreak:
    """A break that gets longer each time the dependency is found still dead after it.

    Once the circuit has closed, the next break is as short as the first.

    Args:
        first: Seconds.
        factor: How much longer each break is than the one before; 1 to 100.
        longest: Seconds, the longest of all breaks.
        jitter: The part of each break that is up to chance, 0 to 1: a break of 60 s is one of 54
            to 60 s with 0.1. So processes whose circuits opened together do not probe together.
    """

    first: float = 5.0
    factor: float = 2.0
    longest: float = 300.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        problems = Problems()
        check_seconds(problems, "first", self.first)
        fine = is_number(self.factor) and 1 <= self.factor <= 100  # noqa: PLR2004 - as documented
        problems.check(fine, "factor", "must be a number from 1 to 100", "number")
        check_seconds(problems, "longest", self.longest)
        if is_number(self.first) and is_number(self.longest):
            fine = self.first <= self.longest
            problems.check(fine, "longest", "must be at least as long as the first", "seconds")
        fine = is_number(self.jitter) and 0 <= self.jitter <= 1
        problems.check(fine, "jitter", "must be a number from 0 to 1", "number")
        problems.raise_if_any("the break is not valid")

    @classmethod
    def always(cls, seconds: float) -> Self:
        """Return the break that does not grow."""
        return cls(first=seconds, factor=1, longest=seconds, jitter=0)

    def __str__(self) -> str:
        grows = f" x{self.factor:g} to {self.longest:g}s" if self.longest > self.first else ""
        return f"{self.first:g}s{grows}"

    def following(self, length: float) -> float:
        """Return the length of the break after one of ``length`` seconds, 0 for none."""
        return min(length * self.factor, self.longest) if length else self.first

    def drawn(self, length: float) -> float:
        """Return the seconds that a break of this length takes, chance included."""
        return length * (1 - self.jitter * current_clock().random())
