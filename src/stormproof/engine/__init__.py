"""Where tokens come from: a paged-KV inference engine.

`LLM` answers lists of prompts, `AsyncLLM` serves many requests at once; both drive an `EngineCore`,
which owns the queues and the cache blocks and asks a `ModelRunner` for logits, step by step.
"""

from stormproof.engine.architecture import ModelConfig
from stormproof.engine.async_llm import AsyncLLM
from stormproof.engine.batch import ModelRunner, StepBatch
from stormproof.engine.checkpoint import Checkpoint, open_checkpoint
from stormproof.engine.core import EngineCore
from stormproof.engine.llm import LLM
from stormproof.engine.output import Output
from stormproof.engine.runner import TorchRunner
from stormproof.engine.sampler import TokenLogprobs
from stormproof.engine.sampling import SamplingParams
from stormproof.engine.sequence import FinishReason
from stormproof.engine.settings import EngineConfig
from stormproof.engine.stats import EngineStats
from stormproof.engine.tokenizer import Tokenizer

__all__ = [
    "LLM",
    "AsyncLLM",
    "Checkpoint",
    "EngineConfig",
    "EngineCore",
    "EngineStats",
    "FinishReason",
    "ModelConfig",
    "ModelRunner",
    "Output",
    "SamplingParams",
    "StepBatch",
    "TokenLogprobs",
    "Tokenizer",
    "TorchRunner",
    "open_checkpoint",
]
