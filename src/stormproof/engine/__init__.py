"""Where tokens come from: a paged-KV inference engine.

`LLM` answers lists of prompts, `AsyncLLM` serves many requests at once; both drive an `EngineCore`,
which owns the queues and the cache blocks and has a `ModelRunner` choose tokens, step by step.
`Embedder` and `AsyncEmbedder` turn texts into vectors.
"""

from stormproof.engine.architecture import ModelConfig
from stormproof.engine.async_embedder import AsyncEmbedder
from stormproof.engine.async_llm import AsyncLLM
from stormproof.engine.batch import ModelRunner, StepBatch
from stormproof.engine.batch_progress import BatchProgress
from stormproof.engine.core import EngineCore
from stormproof.engine.draw import Draw, Sampled, TokenLogprobs
from stormproof.engine.embedder import Embedder, Embedding
from stormproof.engine.grammar import Grammar, GrammarKind
from stormproof.engine.llm import LLM
from stormproof.engine.output import Output
from stormproof.engine.sampling import SamplingParams
from stormproof.engine.sequence import FinishReason
from stormproof.engine.settings import EngineConfig
from stormproof.engine.speculation import Drafter
from stormproof.engine.stats import EngineStats
from stormproof.engine.supervised.events import EngineDied, EngineRecovered, RequestConvicted
from stormproof.engine.tokenizer import Tokenizer
from stormproof.engine.tool_calls import Arguments, CallBegun, Said, Spoken, ToolCallReader
from stormproof.engine.tool_format import Tool, ToolFormat
from stormproof.engine.urgency import Urgency

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
