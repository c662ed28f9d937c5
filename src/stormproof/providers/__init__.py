"""Everyone who can answer: hosted APIs, the local engine, the ladder over them."""

from stormproof.providers.answers import AnswerCache, CachedAnswers, FixedAnswer
from stormproof.providers.anthropic.model import ANTHROPIC_CAPABILITIES, AnthropicModel
from stormproof.providers.api import Endpoint
from stormproof.providers.candidate import Candidate, Journey
from stormproof.providers.chat import Capability, ChatRequest, Chunk, Completion, Usage
from stormproof.providers.continuation import Continuation
from stormproof.providers.embeddings.ladder import EmbeddingLadder
from stormproof.providers.embeddings.request import EmbeddingModel, EmbeddingRequest, Embeddings
from stormproof.providers.figures import Figures
from stormproof.providers.http.client import HttpClient
from stormproof.providers.http.proxies import Proxies, Proxy
from stormproof.providers.ladder import Ladder
from stormproof.providers.local.embedder import LocalEmbeddings
from stormproof.providers.local.model import EngineModel
from stormproof.providers.model import ChatModel, TextModel
from stormproof.providers.openai.embeddings import OpenAIEmbeddings
from stormproof.providers.openai.model import OpenAIModel
from stormproof.providers.openai.texts import OpenAITexts
from stormproof.providers.recalling import RecallingRung
from stormproof.providers.rung import Rung
from stormproof.providers.settings.building import LadderBuilder
from stormproof.providers.settings.checking import Finding, check_store, check_targets
from stormproof.providers.settings.hosted import Hosted
from stormproof.providers.settings.keeping import Kept
from stormproof.providers.settings.price_list import price_of
from stormproof.providers.settings.reading import read_models
from stormproof.providers.settings.schema import ModelsFile
from stormproof.providers.stream_policy import StreamPolicy
from stormproof.providers.texts import Question, TextRequest

__all__ = [
    "ANTHROPIC_CAPABILITIES",
    "AnswerCache",
    "AnthropicModel",
    "CachedAnswers",
    "Candidate",
    "Capability",
    "ChatModel",
    "ChatRequest",
    "Chunk",
    "Completion",
    "Continuation",
    "EmbeddingLadder",
    "EmbeddingModel",
    "EmbeddingRequest",
    "Embeddings",
    "Endpoint",
    "EngineModel",
    "Figures",
    "Finding",
    "FixedAnswer",
    "Hosted",
    "HttpClient",
    "Journey",
    "Kept",
    "Ladder",
    "LadderBuilder",
    "LocalEmbeddings",
    "ModelsFile",
    "OpenAIEmbeddings",
    "OpenAIModel",
    "OpenAITexts",
    "Proxies",
    "Proxy",
    "Question",
    "RecallingRung",
    "Rung",
    "StreamPolicy",
    "TextModel",
    "TextRequest",
    "Usage",
    "check_store",
    "check_targets",
    "price_of",
    "read_models",
]
