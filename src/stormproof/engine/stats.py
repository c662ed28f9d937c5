"""What the engine is doing, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """A snapshot taken between two steps.

    Attributes:
        running: Sequences that take part in steps.
        waiting: Sequences in the queue, new and preempted.
        waiting_tokens: Tokens that those have.
        free_blocks: Cache blocks that nobody owns; some still hold what will be asked for again.
        total_blocks: Cache blocks there are.
        steps: Steps since the start.
        step_seconds: Time that they took together.
        prompt_tokens: Prompt tokens of all accepted requests.
        generated_tokens: Tokens generated since the start.
        finished: Requests that ended, for whatever reason.
        preemptions: How often a sequence lost its blocks and had to read its tokens again.
        memory_shortages: How often memory ran out in a step; the next ones are smaller for a while.
        drafted_tokens: Tokens that were guessed, to be verified several at once.
        accepted_tokens: How many of them were right.
        prefix_query_tokens: Tokens of sequences when they started, or started again.
        prefix_hit_tokens: How many of those were in the cache, and were not read again.
        deaths: How often a process of the engine died, by cause. What else is counted here begins
            at 0 in each process.
        down_seconds: How long there was no process to answer.
    """

    running: int = 0
    waiting: int = 0
    waiting_tokens: int = 0
    free_blocks: int = 0
    total_blocks: int = 0
    steps: int = 0
    step_seconds: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    finished: int = 0
    preemptions: int = 0
    memory_shortages: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    prefix_query_tokens: int = 0
    prefix_hit_tokens: int = 0
    deaths: Mapping[str, int] = field(default_factory=dict)
    down_seconds: float = 0.0
