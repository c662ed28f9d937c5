"""vLLM: its engine, stepped in this thread."""

import os
import time
from collections.abc import Callable, Sequence

from engine_peers.timing import Timing
from engine_peers.workload import MOST_AT_ONCE, Request

os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
from vllm import EngineArgs, LLMEngine, SamplingParams


def load(model: str) -> Callable[[Sequence[Request]], list[Timing]]:
    """Load a model; return what answers requests."""
    arguments = EngineArgs(
        model,
        dtype="bfloat16",
        max_model_len=1024,
        max_num_seqs=MOST_AT_ONCE,
        enable_prefix_caching=False,
        disable_log_stats=True,
    )
    engine = LLMEngine.from_engine_args(arguments)
    return lambda requests: answer(engine, requests)


def answer(engine: LLMEngine, requests: Sequence[Request]) -> list[Timing]:
    """Answer requests that all come now."""
    started = time.perf_counter()
    for index, request in enumerate(requests):
        params = SamplingParams(
            temperature=0, max_tokens=request.new_tokens, ignore_eos=True, detokenize=False
        )
        engine.add_request(str(index), {"prompt_token_ids": request.prompt}, params)
    first: dict[str, float] = {}
    timings: dict[str, Timing] = {}
    while engine.has_unfinished_requests():
        for output in engine.step():
            now = time.perf_counter() - started
            first.setdefault(output.request_id, now)
            if output.finished:
                tokens = len(output.outputs[0].token_ids)
                timings[output.request_id] = Timing(first[output.request_id], now, tokens)
    return [timings[str(index)] for index in range(len(requests))]
