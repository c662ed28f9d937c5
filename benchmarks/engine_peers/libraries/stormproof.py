"""Ours: the core, stepped in this thread."""

import time
from collections.abc import Callable, Sequence

from engine_peers.timing import Timing
from engine_peers.workload import CACHE_TOKENS, Request
from stormproof.engine import EngineConfig, EngineCore, SamplingParams
from stormproof.engine.start import start_core


def load(model: str) -> Callable[[Sequence[Request]], list[Timing]]:
    """Load a model; return what answers requests."""
    config = EngineConfig(
        model=model, num_blocks=CACHE_TOKENS // 16, prefix_cache=False, speculation="off"
    )
    core = start_core(config)
    return lambda requests: answer(core, requests)


def answer(core: EngineCore, requests: Sequence[Request]) -> list[Timing]:
    """Answer requests that all come now."""
    started = time.perf_counter()
    ids = [
        core.add(
            request.prompt,
            SamplingParams(temperature=0, max_tokens=request.new_tokens, ignore_eos=True),
        )
        for request in requests
    ]
    first: dict[int, float] = {}
    timings: dict[int, Timing] = {}
    while core.has_work:
        for seq_id, output in core.step():
            now = time.perf_counter() - started
            first.setdefault(seq_id, now)
            if output.finish_reason:
                timings[seq_id] = Timing(first[seq_id], now, output.completion_tokens)
    return [timings[seq_id] for seq_id in ids]
