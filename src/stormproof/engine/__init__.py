"""Where tokens come from: a paged-KV inference engine.

`LLM` answers lists of prompts, `AsyncLLM` serves many requests at once; both drive an `EngineCore`,
which owns the queues and the cache blocks and has a `ModelRunner` choose tokens, step by step.
`Embedder` and `AsyncEmbedder` turn texts into vectors.
"""

from stormproof.engine.answers.output import Output
from stormproof.engine.answers.tool_calls import Arguments, CallBegun, Said, Spoken, ToolCallReader
from stormproof.engine.answers.tool_format import Tool, ToolFormat
from stormproof.engine.async_llm import AsyncLLM
from stormproof.engine.batch_progress import BatchProgress
from stormproof.engine.checkpoints.architecture import ModelConfig
from stormproof.engine.core import EngineCore
from stormproof.engine.drafting.speculation import Drafter
from stormproof.engine.embedding.async_embedder import AsyncEmbedder
from stormproof.engine.embedding.embedder import Embedder, Embedding
from stormproof.engine.llm import LLM
from stormproof.engine.sampling.draw import Draw, Sampled, TokenLogprobs
from stormproof.engine.sampling.grammar import Grammar, GrammarKind
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.batch import ModelRunner, StepBatch
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.engine.scheduling.urgency import Urgency
from stormproof.engine.settings import EngineConfig
from stormproof.engine.stats import EngineStats
from stormproof.engine.supervised.events import EngineDied, EngineRecovered, RequestConvicted
from stormproof.engine.tokens.tokenizer import Tokenizer

__all__ = [
    "LLM",
    "Arguments",
    "AsyncEmbedder",
    "AsyncLLM",
    "BatchProgress",
    "CallBegun",
    "Drafter",
    "Draw",
    "Embedder",
    "Embedding",
    "EngineConfig",
    "EngineCore",
    "EngineDied",
    "EngineRecovered",
    "EngineStats",
    "FinishReason",
    "Grammar",
    "GrammarKind",
    "ModelConfig",
    "ModelRunner",
    "Output",
    "RequestConvicted",
    "Said",
    "Sampled",
    "SamplingParams",
    "Spoken",
    "StepBatch",
    "TokenLogprobs",
    "Tokenizer",
    "Tool",
    "ToolCallReader",
    "ToolFormat",
    "Urgency",
]
