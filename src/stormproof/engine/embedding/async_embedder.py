"""Texts to vectors, for programs that serve many at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from typing import Final, TypeAlias

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
        self.left = deque(range(len(prompts)))
        self.prompts = prompts
        self.future: Future[list[Embedding]] = Future()
        self._embeddings: dict[int, Embedding] = {}
        self._lock = threading.Lock()

    @property
    def tokens(self) -> int:
        return sum(len(self.prompts[place]) for place in self.left)

    @property
    def next_tokens(self) -> int:
        return len(self.prompts[self.left[0]])

    def add(self, place: int, embedding: Embedding) -> bool:
        """Take the embedding of a prompt; whether it was the last that lacked one."""
        with self._lock:
            self._embeddings[place] = embedding
            whole = len(self._embeddings) == len(self.prompts)
            if whole and self._is_wanted():
                self.future.set_result([found for _, found in sorted(self._embeddings.items())])
            return whole

    def fail(self, error: StormproofError) -> None:
        with self._lock:
            if self._is_wanted():
                self.future.set_exception(error)

    def _is_wanted(self) -> bool:
        return not self.future.done() and self.future.set_running_or_notify_cancel()


_Step: TypeAlias = list[tuple[_Job, int]]
"""Prompts that are computed together, by the places that they have in their requests."""


class AsyncEmbedder:
    """Embeds the texts of any number of requests at once, in threads of its own.

    Each step takes one text of each request in turn, so a request of many texts delays those of
    few by no more than a step.

    Args:
        embedder: The model; nobody else may use it from now on.
        max_waiting_tokens: Tokens that may wait, over all requests.
        threads: Steps that are computed at once. More than one are for programs that have numpy
            use no threads of its own (``OPENBLAS_NUM_THREADS=1``).
        clock: Seconds, for telling how long a refused request should wait.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        max_waiting_tokens: int = 1 << 18,
        threads: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_tokens: Final = embedder.max_tokens
        self.width: Final = embedder.width
        self._embedder = embedder
        self._limit = max_waiting_tokens
        self._clock = clock
        self._rate = ServiceRate()
        self._jobs: deque[_Job] = deque()
        self._steps: list[_Step] = [[] for _ in range(threads)]
        self._closed = False
        self._woken = threading.Condition()
        self._threads = [
            threading.Thread(
                target=self._run, args=(number,), name="stormproof-embedder", daemon=True
            )
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether its threads run."""
        return all(thread.is_alive() for thread in self._threads)

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
            jobs = [*self._jobs, *(job for step in self._steps for job, _ in step)]
        await asyncio.to_thread(wait, [job.future for job in jobs], grace)

    def close(self) -> None:
        """End every request with ``ServiceUnavailable``, and the threads after their steps."""
        with self._woken:
            self._closed = True
            self._woken.notify_all()
        for thread in self._threads:
            thread.join(_LAST_STEP)

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
            self._woken.notify_all()
        return job.future

    def _forget_unwanted(self) -> None:
        """Drop the requests that were cancelled, or that failed before their last text."""
        self._jobs = deque(job for job in self._jobs if not job.future.done())

    def _run(self, number: int) -> None:
        try:
            while self._take_step(number):
                started = self._clock()
                finished = self._compute(self._steps[number])
                self._record(finished, self._clock() - started)
        finally:
            with self._woken:
                self._closed = True
                self._woken.notify_all()
                jobs = [*self._jobs, *(job for job, _ in self._steps[number])]
            for job in jobs:
                job.fail(_closed())

    def _record(self, finished: int, seconds: float) -> None:
        with self._woken:
            self._rate.record(finished=finished, seconds=seconds / len(self._threads))

    def _take_step(self, number: int) -> bool:
        """Wait for texts and take as many as a step has room for; false when it is closed."""
        with self._woken:
            step: _Step = []
            self._steps[number] = step
            self._woken.wait_for(lambda: self._closed or self._jobs)
            if self._closed:
                return False
            self._forget_unwanted()
            room = MAX_STEP_TOKENS
            while self._jobs and (not step or self._jobs[0].next_tokens <= room):
                job = self._jobs.popleft()
                room -= job.next_tokens
                step.append((job, job.left.popleft()))
                if job.left:
                    self._jobs.append(job)
            return True

    def _compute(self, step: _Step) -> int:
        """Compute a step; return how many requests it finished."""
        try:
            prompts = [job.prompts[place] for job, place in step]
            embeddings = self._embedder.compute(prompts) if step else []
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever happens
            if len(step) > 1:
                return sum(self._compute([each]) for each in step)
            step[0][0].fail(_as_ours(error))
            return 1
        pairs = zip(step, embeddings, strict=True)
        return sum(job.add(place, embedding) for (job, place), embedding in pairs)


def _as_ours(error: Exception) -> StormproofError:
    if isinstance(error, StormproofError):
        return error
    ours = InternalError(reason=type(error).__name__)
    ours.__cause__ = error
    return ours


def _closed() -> ServiceUnavailable:
    return ServiceUnavailable(reason="the embedding model is shut down")
