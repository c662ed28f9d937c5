"""Every request that has not ended, with all it takes to go on with it in another process."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from stormproof.engine.answers.output import Output
from stormproof.engine.mailbox import Mailbox
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.urgency import USUAL, Urgency
from stormproof.engine.supervised.deaths import Death
from stormproof.engine.supervised.step_record import Reading
from stormproof.engine.supervised.suspicion import Suspicion
from stormproof.errors import CapacityExceeded

_SEED_BITS: Final = 64
_RETRY_AFTER: Final = 5.0


@dataclass(slots=True, eq=False)
class Entry:
    """A request, and what its client has of the answer.

    Attributes:
        number: Its name on the way to the process and back.
        mailbox: Where its client waits.
        prompt: Token ids.
        params: How to answer. They have a seed: whoever goes on draws the same random numbers.
        urgency: How soon.
        generated: The tokens that were delivered.
        suspicion: Whether processes die of it.
    """

    number: int
    mailbox: Mailbox
    prompt: Sequence[int]
    params: SamplingParams
    urgency: Urgency = USUAL
    generated: list[int] = field(default_factory=list)
    suspicion: Suspicion = field(default_factory=Suspicion)

    @property
    def read(self) -> int:
        """How many positions must have been read: each token came after those before it."""
        return len(self.prompt) + len(self.generated) - 1 if self.generated else 0


class Journal:
    """The open requests, in order of arrival; not thread-safe.

    Args:
        most: How many there may be.
        entropy: Random bits, for requests without a seed.
    """

    def __init__(self, most: int, *, entropy: Callable[[int], int] = secrets.randbits) -> None:
        self._most = most
        self._entropy = entropy
        self._entries: dict[int, Entry] = {}
        self._numbers: dict[Mailbox, int] = {}
        self._last_number = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def open(
        self,
        mailbox: Mailbox,
        prompt: Sequence[int],
        params: SamplingParams,
        urgency: Urgency = USUAL,
    ) -> Entry:
        """Write a request down.

        Raises:
            CapacityExceeded: There are as many as there may be.
        """
        if len(self) >= self._most:
            raise CapacityExceeded(
                resource="queue of requests", limit=self._most, retry_after=_RETRY_AFTER
            )
        if params.seed is None:
            params = replace(params, seed=self._entropy(_SEED_BITS))
        self._last_number += 1
        entry = Entry(self._last_number, mailbox, tuple(prompt), params, urgency)
        self._entries[entry.number] = entry
        self._numbers[mailbox] = entry.number
        return entry

    def deliver(self, number: int, output: Output) -> Mailbox | None:
        """Write down what a client is about to get; returns where it waits, if it still does."""
        entry = self._entries.get(number)
        if entry is None:
            return None
        entry.generated.extend(output.token_ids)
        if output.finish_reason:
            self._strike(entry)
        return entry.mailbox

    def close(self, mailbox: Mailbox) -> int | None:
        """Forget a request; returns its number, if it was open."""
        number = self._numbers.get(mailbox)
        if number is not None:
            self._strike(self._entries[number])
        return number

    def accuse(self, death: Death, readings: Sequence[Reading]) -> list[Entry]:
        """Take note of what a process died of, and strike out who is guilty; returns those.

        Args:
            death: How it died.
            readings: What it was reading.
        """
        for entry in self:
            entry.suspicion.clear_before(entry.read)
        for number, begin, end in () if death.stopped else readings:
            if number in self._entries:
                suspicion = self._entries[number].suspicion
                alone = len(readings) == 1
                suspicion.died(range(begin, end), alone=alone, killed=death.killed)
        guilty = [entry for entry in self if entry.suspicion.proven]
        for entry in guilty:
            self._strike(entry)
        return guilty

    def _strike(self, entry: Entry) -> None:
        del self._entries[entry.number], self._numbers[entry.mailbox]
