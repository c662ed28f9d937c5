"""The engine for programs that want answers to a list of prompts."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from functools import partial
from typing import Any, Self, TypeAlias, overload

from stormproof.engine.answers.output import Output
from stormproof.engine.batch_progress import BatchProgress, Report, reporting
from stormproof.engine.checkpoints.loading import Progress
from stormproof.engine.core import EngineCore
from stormproof.engine.embedding.embedder import Embedder, Embedding, Text, no_embedding_model
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.engine.settings import EngineConfig
from stormproof.engine.start import start_core
from stormproof.errors import CapacityExceeded, StormproofError

Prompt: TypeAlias = str | Sequence[int]
Conversation: TypeAlias = Sequence[Mapping[str, Any]]


class LLM:
    """Answers prompts in batches, in the thread that asks; not thread-safe.

    ```python
    llm = LLM.load(EngineConfig(model="smollm2.gguf"))
    print(llm.chat([{"role": "user", "content": "Hello!"}]).text)
    ```

    Args:
        core: The engine; nobody else may use it from now on.
        embedder: What embeds, if anything does.
    """

    def __init__(self, core: EngineCore, embedder: Embedder | None = None) -> None:
        self.tokenizer = core.tokenizer
        self._core = core
        self._embedder = embedder

    @classmethod
    def load(cls, config: EngineConfig, *, progress: Progress | None = None) -> Self:
        """Load a model, and the one that embeds where the settings name it.

        Args:
            config: What to load, and how.
            progress: Told the fraction that is loaded.

        Raises:
            ConfigurationError: The memory for the cache is too small for this model.
            ModelLoadError: The model cannot be used.
            OutOfMemory: It and its cache do not fit.
        """
        embedder = Embedder.load(config.embedding_model) if config.embedding_model else None
        return cls(start_core(config, progress=progress), embedder)

    def generate(
        self,
        prompts: Iterable[Prompt],
        params: SamplingParams | None = None,
        *,
        n: int = 1,
        progress: bool | Report = False,
    ) -> list[Output]:
        """Answer many prompts together.

        Args:
            prompts: Texts or token ids; read as fast as the queue takes them.
            params: How to answer all of them.
            n: How many answers each prompt gets, see `SamplingParams.copies`.
            progress: True shows a bar; or what is told how far it is, after every step.

        Returns:
            The answers in order: those to the first prompt, those to the second and so on. One that
            failed has ``finish_reason`` ``error`` and its error.

        Raises:
            ValidationErrors: ``n`` is not positive.
        """
        return self._answer(prompts, self._tokens, params, n, progress)

    @overload
    def chat(
        self,
        messages: Conversation,
        params: SamplingParams | None = None,
        *,
        progress: bool | Report = False,
    ) -> Output: ...

    @overload
    def chat(
        self,
        messages: Conversation,
        params: SamplingParams | None = None,
        *,
        n: int,
        progress: bool | Report = False,
    ) -> list[Output]: ...

    @overload
    def chat(
        self,
        messages: Sequence[Conversation],
        params: SamplingParams | None = None,
        *,
        n: int = 1,
        progress: bool | Report = False,
    ) -> list[Output]: ...

    def chat(
        self,
        messages: Conversation | Sequence[Conversation],
        params: SamplingParams | None = None,
        *,
        n: int | None = None,
        progress: bool | Report = False,
    ) -> Output | list[Output]:
        """Answer a conversation, or many together.

        Args:
            messages: What was said, as the model's chat template wants it; or many such lists.
            params: How to answer all of them.
            n: How many answers each conversation gets, see `SamplingParams.copies`.
            progress: As for `generate`.

        Returns:
            The answer; or a list as of `generate`, to many conversations or where ``n`` is given.

        Raises:
            StormproofError: The one answer failed.
            ValidationErrors: ``n`` is not positive.
        """
        many = bool(messages) and not isinstance(messages[0], Mapping)
        conversations = messages if many else [messages]
        copies = 1 if n is None else n
        answers = self._answer(conversations, self.tokenizer.chat, params, copies, progress)
        if many or n is not None:
            return answers
        [answer] = answers
        if answer.error:
            raise answer.error
        return answer

    def embed(
        self, texts: Iterable[Text], *, truncate: bool = False, progress: bool | Report = False
    ) -> list[Embedding]:
        """Turn texts into vectors, by the embedding model of the settings.

        Args:
            texts: Texts or token ids.
            truncate: Whether of a text that is too long only the beginning is read.
            progress: As for `generate`.

        Returns:
            One for each text, in order.

        Raises:
            ConfigurationError: The settings name no embedding model.
            ContextTooLong: A text is too long.
            InvalidRequest: A text is empty, not Unicode, or names a token that does not exist.
            OutOfMemory: It does not fit.
        """
        if self._embedder is None:
            raise no_embedding_model()
        return self._embedder.embed(texts, truncate=truncate, progress=progress)

    def _tokens(self, prompt: Prompt) -> Sequence[int]:
        return self.tokenizer.prompt(prompt) if isinstance(prompt, str) else prompt

    def _answer(
        self,
        items: Iterable[Any],
        encode: Callable[[Any], Sequence[int]],
        params: SamplingParams | None,
        n: int,
        progress: bool | Report,
    ) -> list[Output]:
        copies = (params or SamplingParams()).copies(n)
        total = len(items) * n if isinstance(items, Sized) else None
        with reporting(progress, "Answering") as report:
            batch = _Batch(self._core, copies, total, report)
            try:
                for item in items:
                    batch.add(partial(encode, item))
                return batch.finish()
            except BaseException:
                self._core.reset()  # wherever that came from, Ctrl-C between two lines included
                raise


class _Batch:
    """Prompts on their way through the engine, and their answers in order."""

    def __init__(
        self, core: EngineCore, copies: Sequence[SamplingParams], total: int | None, report: Report
    ) -> None:
        self._core = core
        self._copies = copies
        self._total = total
        self._report = report
        self._answers: list[Output] = []
        self._places: dict[int, int] = {}
        self._prompt_tokens = self._output_tokens = 0

    def add(self, encode: Callable[[], Sequence[int]]) -> None:
        """Send a prompt, after as many steps as it takes until there is room."""
        try:
            tokens = encode()
        except StormproofError as error:
            self._answers += [_failed(error)] * len(self._copies)
            return
        for params in self._copies:
            self._send(tokens, params)

    def _send(self, tokens: Sequence[int], params: SamplingParams) -> None:
        place = len(self._answers)
        self._answers.append(Output(prompt_tokens=0, completion_tokens=0))
        try:
            self._places[self._admit(tokens, params)] = place
        except StormproofError as error:
            self._answers[place] = _failed(error)

    def _admit(self, tokens: Sequence[int], params: SamplingParams) -> int:
        while True:
            try:
                return self._core.add(tokens, params)
            except CapacityExceeded:
                self._step()

    def _step(self) -> None:
        for seq_id, output in self._core.step():
            place = self._places[seq_id]
            self._answers[place] = self._answers[place].then(output)
            self._output_tokens += len(output.token_ids)
            if output.finish_reason:
                del self._places[seq_id]
                self._prompt_tokens += output.prompt_tokens
        self._tell()

    def _tell(self) -> None:
        progress = BatchProgress(
            answered=len(self._answers) - len(self._places),
            total=self._total,
            prompt_tokens=self._prompt_tokens,
            output_tokens=self._output_tokens,
        )
        self._report(progress)

    def finish(self) -> list[Output]:
        """Step until every prompt is answered."""
        while self._places:
            self._step()
        self._tell()
        return self._answers


def _failed(error: StormproofError) -> Output:
    return Output(
        prompt_tokens=0, completion_tokens=0, finish_reason=FinishReason.ERROR, error=error
    )
