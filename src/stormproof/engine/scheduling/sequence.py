"""One request on its way through the engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.urgency import USUAL, Urgency
from stormproof.errors import InvalidStateTransition

HEAD_START: Final = 64
"""Requests before which one ranks that is a step more important."""


class SequenceState(StrEnum):
    """Where a sequence is.

    ```text
    WAITING ──► RUNNING ──► FINISHED      (from anywhere: aborted or failed)
                 │   ▲
                 ▼   │
               PREEMPTED
    ```
    """

    WAITING = "waiting"
    RUNNING = "running"
    PREEMPTED = "preempted"
    FINISHED = "finished"


class FinishReason(StrEnum):
    """Why a sequence ended."""

    STOP = "stop"
    LENGTH = "length"
    ABORTED = "aborted"
    ERROR = "error"


_NEXT: Final[Mapping[SequenceState, frozenset[SequenceState]]] = {
    SequenceState.WAITING: frozenset({SequenceState.RUNNING, SequenceState.FINISHED}),
    SequenceState.RUNNING: frozenset({SequenceState.PREEMPTED, SequenceState.FINISHED}),
    SequenceState.PREEMPTED: frozenset({SequenceState.RUNNING, SequenceState.FINISHED}),
    SequenceState.FINISHED: frozenset(),
}


@dataclass(slots=True, eq=False)
class Sequence:
    """The tokens of one request, and how far the model has read them.

    Attributes:
        seq_id: Number of the sequence, in order of arrival.
        tokens: The prompt and what was generated so far.
        params: How its tokens are chosen.
        seed: Seed of its random numbers, as unsigned 64-bit integer.
        urgency: How important it is, and until when.
        alone_until: How many of the tokens are read in steps of their own.
        alone_from: How many of these are read apart from the others of them.
        prompt_length: How many of the tokens are the prompt.
        computed: How many of the tokens have their keys and values in the cache.
        pieces: The tokens of its first full blocks, packed.
        blocks: The cache blocks it owns; token ``p`` lives in ``blocks[p // block_size]``.
        state: Where it is.
        finish_reason: Why it ended, once it has.
        rank: Its place among others, the least first; no two have the same.
    """

    seq_id: int
    tokens: list[int]
    params: SamplingParams
    seed: int = 0
    urgency: Urgency = USUAL
    alone_until: int = 0
    alone_from: int = 0
    prompt_length: int = field(init=False)
    computed: int = 0
    pieces: list[bytes] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    state: SequenceState = SequenceState.WAITING
    finish_reason: FinishReason | None = None
    rank: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.prompt_length = len(self.tokens)
        self.rank = (self.seq_id - HEAD_START * self.urgency.priority, self.seq_id)

    @property
    def pending(self) -> int:
        """How many tokens the model has still to read before the next one can be chosen."""
        return len(self.tokens) - self.computed

    @property
    def alone(self) -> bool:
        """Whether its next tokens are read in a step of their own."""
        return self.computed < self.alone_until

    @property
    def generated_length(self) -> int:
        """How many tokens there are after the prompt."""
        return len(self.tokens) - self.prompt_length

    def transition(self, state: SequenceState) -> None:
        """Move to another state; the only place where the state changes.

        Raises:
            InvalidStateTransition: There is no such step from here.
        """
        if state not in _NEXT[self.state]:
            raise InvalidStateTransition(from_state=self.state, to_state=state)
        self.state = state
