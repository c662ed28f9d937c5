"""Every request on both sides: what its client had, and what providers were asked for it."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

from gateway_soaking.hearing import Heard, Outcome
from gateway_soaking.questions import is_begun
from stormproof.testing.provider import Asked, Reset, Step

_WHILE: Final = 1.0
"""Seconds after which nobody may be asked for a client who left."""

_MOST: Final = 20
"""Sentences that are kept of what was wrong."""


@dataclass(slots=True)
class _Calls:
    """What providers were asked for one request."""

    all: int = 0
    continuing: int = 0
    reset: int = 0
    last_wanted: float = 0.0


class Ledger:
    """Counts, and compares both sides.

    Attributes:
        outcomes: How requests ended.
        codes: With which errors.
        calls: What providers were asked, all in all.
        faults: How often they failed on purpose.
        continued: How often they were asked for the rest of an answer.
        wrong: What should not have been, in words, as far as that is kept.
    """

    def __init__(self) -> None:
        self.outcomes: Final[Counter[Outcome]] = Counter()
        self.codes: Final[Counter[str]] = Counter()
        self.calls = 0
        self.faults = 0
        self.continued = 0
        self.wrong: Final[Counter[str]] = Counter()
        self._open: dict[int, _Calls] = {}
        self._left: dict[int, _Calls] = {}

    @property
    def under_way(self) -> int:
        """How many requests have no end yet."""
        return len(self._open)

    def opened(self, number: int) -> None:
        """Note that a client asks."""
        self._open[number] = _Calls()

    def called(self, number: int, asked: Asked, step: Step, *, fails: bool) -> None:
        """Note that a provider is asked."""
        self.calls += 1
        self.faults += fails
        calls = self._open.get(number)
        if calls is None:
            self._late(number)
            return
        continuing = is_begun(asked)
        calls.all += 1
        calls.continuing += continuing
        calls.reset += isinstance(step, Reset)
        self.continued += continuing

    def closed(self, number: int, heard: Heard) -> None:
        """Note what a client had in the end, and compare it with what was asked for that."""
        calls = self._open.pop(number)
        self.outcomes[heard.outcome] += 1
        if heard.outcome is Outcome.LEFT:
            calls.last_wanted = time.monotonic()
            self._left[number] = calls
        elif heard.outcome is Outcome.WRONG:
            self._complain(heard.detail)
        elif heard.outcome in {Outcome.REFUSED, Outcome.BROKEN}:
            self.codes[heard.detail] += 1
        if heard.attempts is not None:
            self._compare(calls, heard)

    def _compare(self, calls: _Calls, heard: Heard) -> None:
        """Find out whether each attempt was one call.

        A reset of a connection that was idle before may have been meant for nobody, so the request
        was sent again.
        """
        attempts = (heard.attempts or 0) + calls.continuing - (heard.outcome is Outcome.DEGRADED)
        if not attempts <= calls.all <= attempts + calls.reset:
            self._complain(f"{calls.all} calls for {attempts} attempts ({heard.outcome})")

    def _late(self, number: int) -> None:
        """Judge a call that nobody waits for.

        It is fine as the first for a client who left: a gateway that had no processor for a while
        reads what he asked, and then that he left.
        """
        calls = self._left.get(number)
        if calls is None:
            self._complain("a provider was asked for a request that had its end")
        elif not calls.all:
            calls.all, calls.last_wanted = 1, time.monotonic()
        elif time.monotonic() - calls.last_wanted > _WHILE:
            self._complain("a provider was asked for a client who had left")

    def _complain(self, what: str) -> None:
        if what in self.wrong or len(self.wrong) < _MOST:
            self.wrong[what] += 1
        else:
            self.wrong["and more"] += 1
