"""Tokens per second of the engine, beside transformers, interleaved in one run.

Each figure is the median of several repeats: prompts of 64 random tokens, 32 new tokens each,
greedy, end of text ignored, one request at a time up to 32 at once. Run it on a quiet machine, and
trust the ratios rather than the figures.
"""

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from stormproof.engine import LLM, EngineConfig, SamplingParams
from stormproof.weights import ModelLibrary

REPEATS = 5
PROMPT, NEW = 64, 32
BATCHES = (1, 8, 32)

Prompts = list[list[int]]
Generate = Callable[[Prompts], None]


def ours(path: Path, dtype: Any) -> Generate:
    # The repeats ask for the same, which the peers compute again.
    config = EngineConfig(model=str(path), dtype=dtype, num_blocks=1024, prefix_cache=False)
    llm = LLM.load(config)
    params = SamplingParams(temperature=0, max_tokens=NEW, ignore_eos=True)
    return lambda prompts: [llm.generate(prompts, params)].clear()


def peers(path: Path, dtype: str) -> Generate:
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=getattr(torch, dtype)
    )
    model.generation_config.pad_token_id = 0

    def generate(prompts: Prompts) -> None:
        tokens = torch.tensor(prompts)
        mask = torch.ones_like(tokens)
        model.generate(
            tokens,
            attention_mask=mask,
            min_new_tokens=NEW,
            max_new_tokens=NEW,
            do_sample=False,
        )

    return generate


def seconds(generate: Generate, prompts: Prompts) -> float:
    started = time.perf_counter()
    generate(prompts)
    return time.perf_counter() - started


def main() -> None:
    path = ModelLibrary().pull("smollm2")
    rng = random.Random(0)
    engines = {
        f"{name} {dtype}": make(path, dtype)
        for dtype in ("float32", "bfloat16")
        for name, make in (("stormproof", ours), ("transformers generate", peers))
    }
    print("| output tokens/s | " + " | ".join(f"{b} at once" for b in BATCHES) + " |")
    print("|---|" + "---:|" * len(BATCHES))
    timings: dict[str, list[str]] = {name: [] for name in engines}
    for batch in BATCHES:
        prompts = [[rng.randint(100, 10_000) for _ in range(PROMPT)] for _ in range(batch)]
        rounds = [[seconds(run, prompts) for run in engines.values()] for _ in range(REPEATS)]
        for name, taken in zip(engines, zip(*rounds, strict=True), strict=True):
            timings[name].append(f"{batch * NEW / statistics.median(taken):.0f}")
    for name, figures in timings.items():
        print(f"| {name} | " + " | ".join(figures) + " |")


if __name__ == "__main__":
    main()
