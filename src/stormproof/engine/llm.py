"""The engine for programs that want answers to a list of prompts."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from stormproof.engine.core import EngineCore
from stormproof.engine.loading import Progress
from stormproof.engine.output import Output
from stormproof.engine.sampling import SamplingParams
from stormproof.engine.sequence import FinishReason
from stormproof.engine.settings import EngineConfig
from stormproof.engine.start import start_core
from stormproof.errors import CapacityExceeded, SequenceNotFound, StormproofError

Prompt = str | Sequence[int]


class LLM:
    """Answers prompts in batches, in the thread that asks; not thread-safe.

    ```python
    llm = LLM.load(EngineConfig(model="smollm2.gguf"))
    print(llm.chat([{"role": "user", "content": "Hello!"}]).text)
    ```

    Args:
        core: The engine; nobody else may use it from now on.
    """

    def __init__(self, core: EngineCore) -> None:
        self.tokenizer = core.tokenizer
        self._core = core

    @classmethod
    def load(cls, config: EngineConfig, *, progress: Progress | None = None) -> Self:
        """Load a model.

        Args:
            config: What to load, and how.
            progress: Told the fraction that is loaded.

        Raises:
            ConfigurationError: The memory for the cache is too small for this model.
            ModelLoadError: The model cannot be used.
            OutOfMemory: It and its cache do not fit.
        """
        return cls(start_core(config, progress=progress))

    def generate(
        self, prompts: Iterable[Prompt], params: SamplingParams | None = None
    ) -> list[Output]:
        """Answer many prompts together.

        Args:
            prompts: Texts or token ids; read as fast as the queue takes them.
            params: How to answer all of them.

        Returns:
            The answers in order. One that failed has ``finish_reason`` ``error`` and its error.
        """
        params = params or SamplingParams()
        batch = _Batch(self._core)
        try:
            for prompt in prompts:
                batch.add(prompt, params)
            return batch.finish()
        finally:
            batch.abandon()

    def chat(
        self, messages: Sequence[Mapping[str, Any]], params: SamplingParams | None = None
    ) -> Output:
        """Answer a conversation.

        Args:
            messages: What was said, as the model's chat template wants it.
            params: How to answer.

        Raises:
            StormproofError: It could not be answered.
        """
        answer = self.generate([self.tokenizer.chat(messages)], params)[0]
        if answer.error:
            raise answer.error
        return answer


class _Batch:
    """Prompts on their way through the engine, and their answers in order."""

    def __init__(self, core: EngineCore) -> None:
        self._core = core
        self._answers: list[Output] = []
        self._places: dict[int, int] = {}

    def add(self, prompt: Prompt, params: SamplingParams) -> None:
        """Send a prompt, after as many steps as it takes until there is room."""
        place = len(self._answers)
        self._answers.append(Output(prompt_tokens=0, completion_tokens=0))
        try:
            tokens = self._core.tokenizer.prompt(prompt) if isinstance(prompt, str) else prompt
            self._places[self._admit(tokens, params)] = place
        except StormproofError as error:
            self._answers[place] = Output(
                prompt_tokens=0,
                completion_tokens=0,
                finish_reason=FinishReason.ERROR,
                error=error,
            )

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
            if output.finish_reason:
                del self._places[seq_id]

    def finish(self) -> list[Output]:
        """Step until every prompt is answered."""
        while self._places:
            self._step()
        return self._answers

    def abandon(self) -> None:
        """Give up what is not answered, when the caller was interrupted."""
        for seq_id in self._places:
            with suppress(SequenceNotFound):  # it ended in the step that was interrupted
                self._core.abort(seq_id)
