"""Texts to vectors, for programs that serve many at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from typing import Final

from stormproof.engine.embedding.embedder import MAX_STEP_TOKENS, Embedder, Embedding, Text
from stormproof.engine.scheduling.service_rate import ServiceRate
from stormproof.errors import (
    CapacityExceeded,
    InternalError,
    ServiceUnavailable,
    StormproofError,
)

Prompt = Sequence[int]

_LAST_STEP: Final = 10.0


class _Job:
    """A request: the prompts that are left, the embeddings there are, and who waits for them."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self.prompts = deque(prompts)
        self.embeddings: list[Embedding] = []
        self.future: Future[list[Embedding]] = Future()
        self._count = len(prompts)

    @property
    def tokens(self) -> int:
        return sum(map(len, self.prompts))

    def add(self, embedding: Embedding) -> bool:
        """Take the embedding of the next prompt; whether it was the last one."""
        self.embeddings.append(embedding)
        whole = len(self.embeddings) == self._count
        if whole and self._is_wanted():
            self.future.set_result(self.embeddings)
        return whole

    def fail(self, error: StormproofError) -> None:
        if self._is_wanted():
            self.future.set_exception(error)

    def _is_wanted(self) -> bool:
        return not self.future.done() and self.future.set_running_or_notify_cancel()


class AsyncEmbedder:
    """Embeds the texts of any number of requests at once, in a thread of its own.

    Each step takes one text of each request in turn, so a request of many texts delays those of
    few by no more than a step.

    Args:
        embedder: The model; nobody else may use it from now on.
        max_waiting_tokens: Tokens that may wait, over all requests.
        clock: Seconds, for telling how long a refused request should wait.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        max_waiting_tokens: int = 1 << 18,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_tokens: Final = embedder.max_tokens
        self.width: Final = embedder.width
        self._embedder = embedder
        self._limit = max_waiting_tokens
        self._clock = clock
        self._rate = ServiceRate()
        self._jobs: deque[_Job] = deque()
        self._step: list[tuple[_Job, Prompt]] = []
        self._closed = False
        self._woken = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="stormproof-embedder", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    async def embed(self, texts: Iterable[Text], *, truncate: bool = False) -> list[Embedding]:
        """Embed texts; whoever is cancelled takes up no more of the model's time.

        Args:
            texts: The texts, at least one.
            truncate: Whether of a text that is too long only the beginning is read.

        Returns:
            One for each text, in order.

        Raises:
            ContextTooLong: A text is too long.
            InvalidRequest: A text is empty, not Unicode, or names a token that does not exist.
            CapacityExceeded: Too much waits; ``retry_after`` says when to come back.
            OutOfMemory: It does not fit.
            ServiceUnavailable: It is closed.
        """
        prompts = await asyncio.to_thread(self._tokens, list(texts), truncate)
        return await asyncio.wrap_future(self._submit(prompts)) if prompts else []

    async def drain(self, grace: float) -> None:
        """Wait until nothing is left to do.

        Args:
            grace: Seconds to wait at most.
        """
        with self._woken:
            jobs = [*self._jobs, *(job for job, _ in self._step)]
        await asyncio.to_thread(wait, [job.future for job in jobs], grace)

    def close(self) -> None:
        """End every request with ``ServiceUnavailable``, and the thread after its step."""
        with self._woken:
            self._closed = True
            self._woken.notify()
        self._thread.join(_LAST_STEP)

    def _tokens(self, texts: Sequence[Text], truncate: bool) -> list[Prompt]:
        return [self._embedder.tokens(text, truncate=truncate) for text in texts]

    def _submit(self, prompts: Sequence[Prompt]) -> Future[list[Embedding]]:
        job = _Job(prompts)
        with self._woken:
            if self._closed:
                raise _closed()
            self._forget_unwanted()
            waiting = sum(other.tokens for other in self._jobs)
            # What is larger than the limit by itself is let in when nothing else waits.
            if waiting and waiting + job.tokens > self._limit:
                seconds = self._rate.wait_for(len(self._jobs))
                raise CapacityExceeded(
                    resource="embedding queue", limit=self._limit, retry_after=seconds
                )
            self._jobs.append(job)
            self._woken.notify()
        return job.future

    def _forget_unwanted(self) -> None:
        """Drop the requests that were cancelled, or that failed before their last text."""
        self._jobs = deque(job for job in self._jobs if not job.future.done())

    def _run(self) -> None:
        try:
            while self._take_step():
                started = self._clock()
                finished = self._compute(self._step)
                self._rate.record(finished=finished, seconds=self._clock() - started)
        finally:
            with self._woken:
                self._closed = True
                jobs = [*self._jobs, *(job for job, _ in self._step)]
            for job in jobs:
                job.fail(_closed())

    def _take_step(self) -> bool:
        """Wait for texts and take as many as a step has room for; false when it is closed."""
        with self._woken:
            self._step = []
            self._woken.wait_for(lambda: self._closed or self._jobs)
            if self._closed:
                return False
            self._forget_unwanted()
            room = MAX_STEP_TOKENS
            while self._jobs and (not self._step or len(self._jobs[0].prompts[0]) <= room):
                job = self._jobs.popleft()
                prompt = job.prompts.popleft()
                room -= len(prompt)
                self._step.append((job, prompt))
                if job.prompts:
                    self._jobs.append(job)
            return True

    def _compute(self, step: Sequence[tuple[_Job, Prompt]]) -> int:
        """Compute a step; return how many requests it finished."""
        try:
            embeddings = self._embedder.compute([prompt for _, prompt in step]) if step else []
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever happens
            if len(step) > 1:
                return sum(self._compute([each]) for each in step)
            step[0][0].fail(_as_ours(error))
            return 1
        pairs = zip(step, embeddings, strict=True)
        return sum(job.add(embedding) for (job, _), embedding in pairs)


def _as_ours(error: Exception) -> StormproofError:
    if isinstance(error, StormproofError):
        return error
    ours = InternalError(reason=type(error).__name__)
    ours.__cause__ = error
    return ours


def _closed() -> ServiceUnavailable:
    return ServiceUnavailable(reason="the embedding model is shut down")
