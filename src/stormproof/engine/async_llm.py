"""The engine for programs that serve many at once."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Self

from stormproof.engine.core import EngineCore
from stormproof.engine.engine_thread import EngineThread
from stormproof.engine.loading import Progress
from stormproof.engine.mailbox import Mailbox
from stormproof.engine.output import Output
from stormproof.engine.sampling import SamplingParams
from stormproof.engine.settings import EngineConfig
from stormproof.engine.start import start_core
from stormproof.engine.stats import EngineStats
from stormproof.errors import ServiceUnavailable, StormproofError

# About how long a replacement takes to start.
_RETRY_ELSEWHERE: Final = 5.0
_LAST_STEP: Final = 10.0


class AsyncLLM:
    """Answers any number of requests at once, each as a stream, from one engine thread.

    ```python
    llm = AsyncLLM.load(EngineConfig(model="smollm2.gguf"))
    prompt = llm.tokenizer.chat([{"role": "user", "content": "Hello!"}])
    async for piece in llm.stream(prompt, SamplingParams(max_tokens=32)):
        print(piece.text, end="")
    ```

    Args:
        core: The engine; nobody else may use it from now on.
        clock: Seconds, for telling a hung engine from a busy one.
        stall_after: Seconds without a finished step, while there is work, that count as hung.
    """

    def __init__(
        self,
        core: EngineCore,
        *,
        clock: Callable[[], float] = time.monotonic,
        stall_after: float = 60.0,
    ) -> None:
        self.model = core.model
        self.tokenizer = core.tokenizer
        self.max_sequence_tokens = core.max_sequence_tokens
        self._check = core.check
        self._engine = EngineThread(core, clock=clock, stall_after=stall_after)
        self._closing = False

    @classmethod
    def load(cls, config: EngineConfig, *, progress: Progress | None = None) -> Self:
        """Load a model and start the engine; blocks for as long as that takes.

        Args:
            config: What to load, and how.
            progress: Told the fraction that is loaded.

        Raises:
            ConfigurationError: The memory for the cache is too small for this model.
            ModelLoadError: The model cannot be used.
            OutOfMemory: It and its cache do not fit.
        """
        return cls(start_core(config, progress=progress))

    @property
    def alive(self) -> bool:
        """Whether a step finished lately, or there is nothing to do."""
        return self._engine.alive

    def stats(self) -> EngineStats:
        """Return the numbers as they were after the last step."""
        return self._engine.stats

    async def stream(
        self, prompt: Sequence[int], params: SamplingParams, *, request_id: str | None = None
    ) -> AsyncGenerator[Output, None]:
        """Answer a request piece by piece.

        Closing or cancelling the stream gives the request up; its blocks are free at the next step.

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
            ServiceUnavailable: The engine is shutting down.
            StormproofError: Whatever went wrong with this request.
        """
        with self._request(prompt, params, request_id) as mailbox:
            output = await mailbox.get()
            while output.finish_reason is None:
                yield output
                output = await mailbox.get()
            yield output

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
                self._engine.cancel(mailbox)
        except StormproofError as error:
            error.request_id = error.request_id or request_id
            raise

    def _submit(self, prompt: Sequence[int], params: SamplingParams) -> Mailbox:
        if self._closing:
            raise _shutting_down()
        self._check(prompt, params)
        mailbox = Mailbox()
        self._engine.submit(mailbox, prompt, params)
        return mailbox

    async def drain(self, grace: float) -> None:
        """Refuse new requests, and let those there are end.

        Args:
            grace: Seconds they are given; then their streams end with ``ServiceUnavailable``,
                even if the engine hangs.
        """
        self._closing = True
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._engine.when_idle()), grace)
        except TimeoutError:
            self._engine.fail_all(_shutting_down)

    def close(self) -> None:
        """End all streams with ``ServiceUnavailable`` and stop the engine's thread."""
        self._closing = True
        self._engine.fail_all(_shutting_down)
        self._engine.stop(_LAST_STEP)


def _shutting_down() -> ServiceUnavailable:
    return ServiceUnavailable(reason="the engine is shutting down", retry_after=_RETRY_ELSEWHERE)
