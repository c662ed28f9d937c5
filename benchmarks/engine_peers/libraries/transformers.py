"""transformers: ``generate`` of one batch, padded on the left; the longest answer holds it open."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.generation.streamers import BaseStreamer

from engine_peers.timing import Timing
from engine_peers.workload import Request

PADDING: int = 2


class _Watch(BaseStreamer):  # type: ignore[misc]
    """Notes when each token of the batch came."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: Any) -> None:
        del value
        self.times.append(time.perf_counter())

    def end(self) -> None:
        pass


def load(model: str) -> Callable[[Sequence[Request]], list[Timing]]:
    """Load a model; return what answers requests."""
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16).eval()
    return lambda requests: answer(loaded, requests)


def answer(model: Any, requests: Sequence[Request]) -> list[Timing]:
    """Answer requests that all come now."""
    started = time.perf_counter()
    tokens, mask = _padded([request.prompt for request in requests])
    longest = max(request.new_tokens for request in requests)
    watch = _Watch()
    model.generate(
        tokens,
        attention_mask=mask,
        min_new_tokens=longest,
        max_new_tokens=longest,
        do_sample=False,
        pad_token_id=PADDING,
        eos_token_id=None,
        streamer=watch,
    )
    times = [when - started for when in watch.times[1:]]  # before them comes the prompt
    return [Timing(times[0], times[r.new_tokens - 1], r.new_tokens) for r in requests]


def _padded(prompts: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, prompts))
    tokens = [[PADDING] * (width - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(tokens), torch.tensor(mask)
