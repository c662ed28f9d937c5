"""What the engine's short numbers cost: its distributions beside those of float32.

    python benchmarks/accuracy.py

accuracy.txt, English and code, is read in pieces of 256 tokens. After each of the last 128 tokens
of a piece, the distribution of the next token is compared with that of `transformers` in float32
with the same, dequantised, weights: the Kullback-Leibler divergence in nats, and whether the most
likely token is the same. llama.cpp measures itself by its own tool in the same way, against its own
float32, over 127 tokens of each piece.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from engine_peers import Missing
from engine_peers.llama import requantised, server
from engine_peers.machine import threads
from engine_peers.models import gguf
from engine_peers.native_step import NativeStep
from engine_peers.process import BUILD
from engine_peers.readme import markdown_table, write_section
from stormproof.engine.checkpoints.checkpoint import open_checkpoint

TEXT: Final = Path(__file__).with_suffix(".txt")
PIECE: Final = 256
SCORED: Final = 128

Line = tuple[str, float, float]
"""Who, the mean divergence, and the share of equal choices."""


def pieces() -> list[list[int]]:
    tokens = open_checkpoint(gguf()).tokenizer().prompt(TEXT.read_text())
    return [tokens[at : at + PIECE] for at in range(0, len(tokens) - PIECE + 1, PIECE)]


def native_logits(text: Sequence[list[int]]) -> torch.Tensor:
    """Have the native step read each piece at once. Returns [scored tokens, vocabulary]."""
    step = NativeStep(1, PIECE)
    logits = np.empty((len(text), SCORED, step.config.vocab_size), np.float32)
    for piece, out in zip(text, logits, strict=True):
        step.read({0: piece}, context=PIECE, drawn=SCORED, logits=out)
    return torch.from_numpy(logits).flatten(0, 1)


@torch.inference_mode()
def transformers_logits(text: Sequence[list[int]], dtype: torch.dtype) -> torch.Tensor:
    """Have transformers read the same. Returns [scored tokens, vocabulary]."""
    path = gguf()
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=dtype)
    read = [model(torch.tensor([piece])).logits[0, -SCORED:].float() for piece in text]
    return torch.cat(read)


def compare(name: str, exact: torch.Tensor, logits: torch.Tensor) -> Line:
    p, q = exact.log_softmax(-1), logits.log_softmax(-1)
    divergence = (p.exp() * (p - q)).sum(-1).mean().item()
    agreement = (exact.argmax(-1) == logits.argmax(-1)).float().mean().item()
    return name, divergence, agreement


def llama_lines() -> Iterator[Line]:
    """Have llama.cpp compare its formats with its own float32."""
    program = server()
    exact, base = requantised(program, "F32"), BUILD / "bench" / "float32.logits"
    _perplexity(program, "--model", exact, "--file", TEXT, "--kl-divergence-base", base)
    for name, model in (("Q4_1", gguf()), ("Q4_0", requantised(program, "Q4_0"))):
        said = _perplexity(
            program, "--model", model, "--kl-divergence", "--kl-divergence-base", base
        )
        found = re.search(r"Mean +KLD: +([\d.]+).*Same top p: +([\d.]+)", said, re.DOTALL)
        assert found is not None
        yield f"llama.cpp {name}", float(found[1]), float(found[2]) / 100


def _perplexity(server_program: Path, *arguments: str | Path) -> str:
    program = server_program.with_name("llama-perplexity")
    command = [program, "--ctx-size", str(PIECE), "--threads", str(threads()), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    text = pieces()
    exact = transformers_logits(text, torch.float32)
    lines = [
        compare("stormproof", exact, native_logits(text)),
        compare("transformers bfloat16", exact, transformers_logits(text, torch.bfloat16)),
    ]
    try:
        lines += llama_lines()
    except Missing as missing:
        print(missing)
    published = markdown_table(
        1,
        ["", "divergence, nats", "same choice"],
        [(name, f"{divergence:.4f}", f"{same:.1%}") for name, divergence, same in lines],
    )
    print(published)
    write_section("accuracy", published)


if __name__ == "__main__":
    main()
