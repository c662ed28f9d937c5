"""Small models of every family with random weights, and sequences to run through them."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from stormproof.engine.scheduling.batch import StepBatch

AUTO_MODEL: Any = AutoModelForCausalLM
BLOCK_SIZE = 16
BLOCKS_EACH = 20

SMALL: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 144,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
CONFIGURATIONS: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**SMALL),
    "llama-tied": LlamaConfig(**SMALL, tie_word_embeddings=True),
    "llama-biased": LlamaConfig(**SMALL, attention_bias=True, mlp_bias=True),
    "llama-3-rope": LlamaConfig(**SMALL, rope_parameters=LLAMA3_ROPE),
    "llama-linear-rope": LlamaConfig(
        **SMALL, rope_parameters={"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}
    ),
    "llama-one-kv-head": LlamaConfig(**SMALL | {"num_key_value_heads": 1}),
    "mistral": MistralConfig(**SMALL, sliding_window=None),
    "mistral-sliding": MistralConfig(**SMALL, sliding_window=37),
    "qwen2": Qwen2Config(**SMALL, tie_word_embeddings=True),
    "qwen2-sliding": Qwen2Config(
        **SMALL, use_sliding_window=True, sliding_window=20, max_window_layers=1
    ),
    "qwen3": Qwen3Config(**SMALL, head_dim=32),
    "qwen3-biased": Qwen3Config(**SMALL, head_dim=16, attention_bias=True),
    "gemma": GemmaConfig(**SMALL, head_dim=32),
    # Scores of random weights are small: only such bounds bend them.
    "gemma-2": Gemma2Config(
        **SMALL,
        head_dim=32,
        query_pre_attn_scalar=24,
        sliding_window=37,
        attn_logit_softcapping=0.5,
        final_logit_softcapping=2.0,
    ),
    "gemma-3": Gemma3TextConfig(**SMALL | {"num_hidden_layers": 7}, head_dim=32, sliding_window=64),
    "gpt-2": GPT2Config(
        vocab_size=320,
        n_embd=64,
        n_layer=3,
        n_head=4,
        n_positions=512,
        bos_token_id=1,
        eos_token_id=2,
    ),
}


class Conversation:
    """A sequence of tokens with cache blocks of its own."""

    def __init__(self, tokens: list[int], number: int = 0) -> None:
        self.tokens = tokens
        # Not in order, so that a test fails which takes blocks for contiguous.
        self.blocks = [number * BLOCKS_EACH + (7 * i + 3) % BLOCKS_EACH for i in range(BLOCKS_EACH)]


def batch_of(*parts: tuple[Conversation, int, int]) -> StepBatch:
    """A batch of the tokens of each conversation from one position up to another."""
    return StepBatch(
        token_ids=[token for talk, start, end in parts for token in talk.tokens[start:end]],
        query_lengths=[end - start for _, start, end in parts],
        context_lengths=[end for _, _, end in parts],
        block_tables=[talk.blocks for talk, _, _ in parts],
    )


def tokens(count: int, vocab: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocab, (count,), generator=generator).tolist()


def write_model(folder: Path, config: PretrainedConfig) -> Any:
    """Writes a small model of random weights; returns it as `transformers` runs it."""
    torch.manual_seed(7)
    model = AUTO_MODEL.from_config(config, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(1.0 if parameter.ndim == 1 else 0.0, 0.1)
    model.save_pretrained(folder)
    return model.eval()
