"""The engine for programs that serve many at once."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Final, Self

from stormproof.engine.answers.output import Output
from stormproof.engine.checkpoints.loading import Progress
from stormproof.engine.core import EngineCore
from stormproof.engine.embedding.async_embedder import AsyncEmbedder
from stormproof.engine.embedding.embedder import Embedder, Embedding, Text, no_embedding_model
from stormproof.engine.engine_thread import EngineThread
from stormproof.engine.host import EngineHost
from stormproof.engine.llm import Conversation, Prompt
from stormproof.engine.mailbox import Mailbox
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.urgency import urgency_in_force
from stormproof.engine.settings import EngineConfig
from stormproof.engine.start import start_core
from stormproof.engine.stats import EngineStats
from stormproof.engine.supervised.supervisor import Supervisor
from stormproof.errors import ServiceUnavailable, StormproofError

# About how long a replacement takes to start.
_RETRY_ELSEWHERE: Final = 5.0


class AsyncLLM:
    """Answers any number of requests at once, each as a stream, from one engine.

    ```python
    with AsyncLLM.load(EngineConfig(model="smollm2.gguf")) as llm:
        prompt = llm.tokenizer.chat([{"role": "user", "content": "Hello!"}])
        async for piece in llm.stream(prompt, SamplingParams(max_tokens=32)):
            print(piece.text, end="")
    ```

    Args:
        engine: What computes. An `EngineCore` is run in a thread of this process, and nobody else
            may use it from now on.
        embedder: What embeds, if anything does; it is closed with the engine.
    """

    def __init__(
        self, engine: EngineCore | EngineHost, embedder: AsyncEmbedder | None = None
    ) -> None:
        self._host = EngineThread(engine) if isinstance(engine, EngineCore) else engine
        self.model = self._host.model
        self.tokenizer = self._host.tokenizer
        self.max_sequence_tokens = self._host.limits.sequence_tokens
        self._embedder = embedder
        self._closing = False

    @classmethod
    def load(cls, config: EngineConfig, *, progress: Progress | None = None) -> Self:
        """Load a model in a process of its own; blocks for as long as that takes.

        One that embeds, where the settings name it, is loaded in this process.

        Should the process die or hang, another one takes over: no stream breaks, and none holds
        another token than it would have held.

        Args:
            config: What to load, and how.
            progress: Told the fraction that is loaded.

        Raises:
            ConfigurationError: The memory for the cache is too small for this model.
            ModelLoadError: The model cannot be used.
            OutOfMemory: It and its cache do not fit.
        """
        embedding = Embedder.load(config.embedding_model) if config.embedding_model else None
        windows = sys.platform == "win32"  # no descriptors can be handed to a process there
        start = start_core if windows else Supervisor
        engine = start(config, progress=progress)
        return cls(engine, AsyncEmbedder(embedding) if embedding else None)

    @property
    def alive(self) -> bool:
        """Whether a step finished lately, or nothing waits, or that is being mended."""
        return self._host.alive

    @property
    def ready(self) -> bool:
        """Whether a request sent now would be answered without delay."""
        return self._host.ready

    def stats(self) -> EngineStats:
        """Return the numbers as they were after the last step."""
        return self._host.stats

    async def stream(
        self, prompt: Sequence[int], params: SamplingParams, *, request_id: str | None = None
    ) -> AsyncGenerator[Output, None]:
        """Answer a request piece by piece.

        Closing or cancelling the stream gives the request up; its blocks are free at the next step.
        The priority and the deadline that are in force (`stormproof.recovery.prioritized`,
        `stormproof.recovery.Deadline`) hold for it in the engine's queue as well.

        Args:
            prompt: Token ids.
            params: How to answer.
            request_id: Written on every error.

        Yields:
            What is new since the piece before; the last one has a ``finish_reason``.

        Raises:
            ContextTooLong: Prompt and answer can never fit.
            InvalidRequest: The prompt is empty, or names a token that does not exist.
            CapacityExceeded: The queue is full; ``retry_after`` says when to come back.
            DeadlineExceeded: The deadline in force has passed, or the answer would not even begin.
            ServiceUnavailable: The engine is shutting down, or does not come back after a crash.
            PoisonedRequest: The engine's process died of this request, twice.
            StormproofError: Whatever went wrong with this request.
        """
        with self._request(prompt, params, request_id) as mailbox:
            output = await mailbox.get()
            while output.finish_reason is None:
                yield output
                output = await mailbox.get()
            yield output

    async def generate(
        self, prompt: Prompt, params: SamplingParams | None = None, *, request_id: str | None = None
    ) -> Output:
        """Answer a prompt, and return the answer as a whole.

        Args:
            prompt: A text or token ids.
            params: How to answer.
            request_id: Written on every error.

        Raises:
            StormproofError: As `stream` does.
        """
        # Tokenizing a long prompt takes long enough to make others wait.
        encode = self.tokenizer.prompt
        tokens = await asyncio.to_thread(encode, prompt) if isinstance(prompt, str) else prompt
        answer = Output(prompt_tokens=0, completion_tokens=0)
        stream = self.stream(tokens, params or SamplingParams(), request_id=request_id)
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                answer = answer.then(piece)
        return answer

    async def chat(
        self,
        messages: Conversation,
        params: SamplingParams | None = None,
        *,
        request_id: str | None = None,
    ) -> Output:
        """Answer a conversation, and return the answer as a whole.

        Args:
            messages: What was said, as the model's chat template wants it.
            params: How to answer.
            request_id: Written on every error.

        Raises:
            PromptError: The template cannot render the messages.
            StormproofError: As `stream` does.
        """
        tokens = await asyncio.to_thread(self.tokenizer.chat, messages)
        return await self.generate(tokens, params, request_id=request_id)

    async def embed(self, texts: Iterable[Text], *, truncate: bool = False) -> list[Embedding]:
        """Turn texts into vectors, by the embedding model of the settings.

        Many may ask at once; they take turns (`AsyncEmbedder`).

        Args:
            texts: Texts or token ids.
            truncate: Whether of a text that is too long only the beginning is read.

        Returns:
            One for each text, in order.

        Raises:
            ConfigurationError: The settings name no embedding model.
            StormproofError: As `AsyncEmbedder.embed` does.
        """
        if self._embedder is None:
            raise no_embedding_model()
        if self._closing:
            raise _shutting_down()
        return await self._embedder.embed(texts, truncate=truncate)

    @contextmanager
    def _request(
        self, prompt: Sequence[int], params: SamplingParams, request_id: str | None
    ) -> Iterator[Mailbox]:
        """Hold a request open, and give it up in the end whatever happens."""
        try:
            mailbox = self._submit(prompt, params)
            try:
                yield mailbox
            finally:
                self._host.cancel(mailbox)
        except StormproofError as error:
            error.request_id = error.request_id or request_id
            raise

    def _submit(self, prompt: Sequence[int], params: SamplingParams) -> Mailbox:
        if self._closing:
            raise _shutting_down()
        self._host.limits.check(prompt, params)
        mailbox = Mailbox()
        self._host.submit(mailbox, prompt, params, urgency_in_force())
        return mailbox

    async def drain(self, grace: float) -> None:
        """Refuse new requests, and let those there are end.

        Args:
            grace: Seconds they are given; then their streams end with ``ServiceUnavailable``,
                even if the engine hangs.
        """
        self._closing = True
        embedding = [self._embedder.drain(grace)] if self._embedder else []
        await asyncio.gather(self._drain_streams(grace), *embedding)

    async def _drain_streams(self, grace: float) -> None:
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._host.when_idle()), grace)
        except TimeoutError:
            self._host.fail_all(_shutting_down)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all streams with ``ServiceUnavailable`` and stop the engine."""
        self._closing = True
        self._host.fail_all(_shutting_down)
        self._host.stop()
        if self._embedder:
            self._embedder.close()


def _shutting_down() -> ServiceUnavailable:
    return ServiceUnavailable(reason="the engine is shutting down", retry_after=_RETRY_ELSEWHERE)
