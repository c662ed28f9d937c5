"""From a validated request to what the engine is asked."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from stormproof.engine import AsyncLLM, Grammar, SamplingParams
from stormproof.errors import InvalidRequest
from stormproof.providers.local.generation import Choice
from stormproof.providers.local.schema import ChatRequest, CompletionRequest
from stormproof.providers.local.structure import chat_grammar, structured
from stormproof.providers.local.tools import offered, said

AnyRequest = ChatRequest | CompletionRequest


class _Asked(NamedTuple):
    """What the routes say each in their own way."""

    max_tokens: int | None
    logprobs: int | None
    grammar: Grammar | None
    begun: int = 0


class Limits(Protocol):
    """What requests may ask for, and what they get that do not ask."""

    @property
    def max_prompt_chars(self) -> int:
        """Most characters of a prompt."""

    @property
    def max_choices(self) -> int:
        """Most answers to one request."""

    @property
    def max_tokens(self) -> int:
        """Most new tokens that one may ask for."""

    @property
    def default_max_tokens(self) -> int:
        """New tokens for one that does not say, if they fit."""

    @property
    def default_temperature(self) -> float:
        """The temperature of one that does not say."""


class Prompts:
    """Tokenizes prompts and applies the server's limits and defaults.

    Args:
        engine: Whose tokenizer and context it is.
        limits: What requests may ask for.
    """

    def __init__(self, engine: AsyncLLM, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits

    async def chat(self, body: ChatRequest, begun: str = "") -> list[Choice]:
        """Return the answers that a conversation asks for.

        Args:
            body: The conversation.
            begun: What the assistant has said of its answer already.

        Raises:
            InvalidRequest: It is over one of the server's limits.
            PromptError: The model's template cannot render it.
        """
        self._check_length(body.length, "messages")
        tokenizer = self._engine.tokenizer
        # Tokenizing a long prompt takes long enough to make other clients wait.
        prompt, said_of_it = await asyncio.to_thread(self._conversation, body, begun)
        asked = _Asked(
            max_tokens=body.max_completion_tokens or body.max_tokens,
            logprobs=(body.top_logprobs or 0) if body.logprobs else None,
            grammar=chat_grammar(body, tokenizer),
            begun=len(said_of_it),
        )
        return self._choices(body, [[*prompt, *said_of_it]], asked)

    async def complete(self, body: CompletionRequest) -> list[Choice]:
        """Return the answers that a plain completion asks for.

        Raises:
            InvalidRequest: It is over one of the server's limits.
        """
        self._check_length(sum(map(len, body.prompts)), "prompt")
        prompts = await asyncio.to_thread(self._tokenize, body.prompts)
        asked = _Asked(body.max_tokens, body.logprobs, structured(body.structured_outputs))
        return self._choices(body, prompts, asked)

    def _conversation(self, body: ChatRequest, begun: str) -> tuple[list[int], list[int]]:
        tokenizer = self._engine.tokenizer
        messages = [said(message) for message in body.messages]
        prompt = tokenizer.chat(messages, offered(body))
        return prompt, tokenizer.encode(begun, special=False) if begun else []

    def _tokenize(self, prompts: "list[str] | list[list[int]]") -> list[list[int]]:
        tokenizer = self._engine.tokenizer
        return [tokenizer.prompt(p) if isinstance(p, str) else p for p in prompts]

    def _check_length(self, length: int, param: str) -> None:
        limit = self._limits.max_prompt_chars
        if length > limit:
            raise InvalidRequest(
                reason=f"the prompt has {length} characters; at most {limit} are accepted",
                param=param,
            )

    def _choices(
        self, body: AnyRequest, prompts: Sequence[list[int]], asked: _Asked
    ) -> list[Choice]:
        copies = body.n or 1
        if copies * len(prompts) > self._limits.max_choices:
            limit = self._limits.max_choices
            raise InvalidRequest(reason=f"at most {limit} answers per request", param="n")
        return [
            Choice(prompt, params)
            for prompt in prompts
            for params in self._params(body, prompt, asked).copies(copies)
        ]

    def _params(self, body: AnyRequest, prompt: list[int], asked: _Asked) -> SamplingParams:
        temperature = body.temperature
        return SamplingParams(
            temperature=self._limits.default_temperature if temperature is None else temperature,
            top_k=body.top_k or 0,
            top_p=1.0 if body.top_p is None else body.top_p,
            min_p=body.min_p or 0.0,
            presence_penalty=body.presence_penalty or 0.0,
            frequency_penalty=body.frequency_penalty or 0.0,
            logit_bias={int(token): bias for token, bias in (body.logit_bias or {}).items()},
            seed=body.seed,
            stop=body.stops,
            max_tokens=self._max_tokens(asked.max_tokens, len(prompt)),
            ignore_eos=body.ignore_eos,
            logprobs=asked.logprobs,
            grammar=asked.grammar,
            begun=asked.begun,
        )

    def _max_tokens(self, asked: int | None, prompt_tokens: int) -> int:
        if asked is None:
            room = self._engine.max_sequence_tokens - prompt_tokens
            return max(1, min(self._limits.default_max_tokens, room))
        if asked > self._limits.max_tokens:
            raise InvalidRequest(
                reason=f"at most {self._limits.max_tokens} new tokens per request",
                param="max_tokens",
            )
        return asked
