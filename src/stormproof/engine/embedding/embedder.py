"""Texts to vectors, for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import tokenizers

from stormproof.engine.batch_progress import BatchProgress, Report, reporting
from stormproof.engine.checkpoints.loading import loading
from stormproof.errors import (
    ConfigurationError,
    ContextTooLong,
    InvalidRequest,
    OutOfMemory,
    PromptError,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from stormproof.engine.embedding.bert import Bert

MAX_STEP_TOKENS: Final = 512
"""Tokens that are computed together. More are no faster, as they leave a processor's cache."""

Text: TypeAlias = str | Sequence[int]
"""A text, or its tokens with those around it."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """What a text is to the model.

    Attributes:
        vector: [width]
        tokens: Tokens of the text, those around it included.
    """

    vector: npt.NDArray[np.float32]
    tokens: int


class Embedder:
    """An embedding model: a BERT encoder in a folder as sentence-transformers lays it out.

    ```python
    embedder = Embedder.load(ModelLibrary().pull("minilm"))
    question, answer = embedder.embed(["How tall is it?", "It is 330 metres high."])
    closeness = question.vector @ answer.vector
    ```

    Args:
        encoder: The model.
        tokenizer: Its tokenizer.
    """

    def __init__(self, encoder: Bert, tokenizer: tokenizers.Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # that is: as the text they are, not as themselves
        self._encoder = encoder
        self._tokenizer = tokenizer
        self.max_tokens: Final = encoder.config.max_tokens
        self.width: Final = encoder.config.hidden_size

    @classmethod
    def load(cls, model: str | Path) -> Self:
        """Load the model in a folder.

        Raises:
            ModelLoadError: It is missing, damaged or of an unsupported kind.
            OutOfMemory: It does not fit.
        """
        # What reads weights is heavy: programs that only speak of an engine do without it.
        from stormproof.engine.checkpoints.model_folder import MAX_TOKENIZER_BYTES, read_text  # noqa: PLC0415
        from stormproof.engine.embedding.bert_loading import load_bert  # noqa: PLC0415

        folder = Path(model).expanduser()
        with loading(folder.name):
            definition = read_text(folder / "tokenizer.json", MAX_TOKENIZER_BYTES)
            return cls(load_bert(folder), tokenizers.Tokenizer.from_str(definition))

    def embed(
        self, texts: Iterable[Text], *, truncate: bool = False, progress: bool | Report = False
    ) -> list[Embedding]:
        """Embed texts.

        Args:
            texts: The texts.
            truncate: Whether of a text that is too long only the beginning is read.
            progress: True shows a bar; or what is told how far it is, after every step.

        Returns:
            One for each text, in order.

        Raises:
            ContextTooLong: A text is too long.
            InvalidRequest: A text is empty, not Unicode, or names a token that does not exist.
            OutOfMemory: It does not fit.
        """
        embeddings: list[Embedding] = []
        tokens = 0
        with reporting(progress, "Embedding") as report:
            prompts = [self.tokens(text, truncate=truncate) for text in texts]
            for step in _steps(prompts):
                embeddings += self.compute(step)
                tokens += sum(map(len, step))
                report(
                    BatchProgress(
                        answered=len(embeddings),
                        total=len(prompts),
                        prompt_tokens=tokens,
                        output_tokens=0,
                    )
                )
        return embeddings

    def tokens(self, text: Text, *, truncate: bool = False) -> Sequence[int]:
        """Return the tokens of a text, with those that begin and end it.

        Raises:
            ContextTooLong: There are too many.
            InvalidRequest: There are none, or one that does not exist; or it is not Unicode.
        """
        whole = self._tokenized(text) if isinstance(text, str) else text
        if not whole:
            raise InvalidRequest(reason="a text has no tokens", param="input")
        if not 0 <= min(whole) <= max(whole) < self._encoder.config.vocab_size:
            raise InvalidRequest(reason="a token is outside the vocabulary", param="input")
        if len(whole) <= self.max_tokens:
            return whole
        if not truncate:
            raise ContextTooLong(prompt_tokens=len(whole), max_tokens=0, limit=self.max_tokens)
        end = whole[-1:] if isinstance(text, str) else ()
        return [*whole[: self.max_tokens - len(end)], *end]

    def compute(self, prompts: Sequence[Sequence[int]]) -> list[Embedding]:
        """Embed the tokens that ``tokens`` returned, all at once.

        Raises:
            OutOfMemory: They do not fit.
        """
        try:
            vectors = self._encoder.embed(prompts)
        except MemoryError as error:
            raise OutOfMemory from error
        return [
            Embedding(vector, len(prompt)) for vector, prompt in zip(vectors, prompts, strict=True)
        ]

    def _tokenized(self, text: str) -> list[int]:
        try:
            ids: list[int] = self._tokenizer.encode(text).ids
        except (UnicodeEncodeError, TypeError) as error:
            raise PromptError(reason="the text is not valid Unicode") from error
        return ids


def _steps(prompts: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Prompts in order, in as few steps as the limit allows."""
    step: list[Sequence[int]] = []
    for prompt in prompts:
        if step and sum(map(len, step)) + len(prompt) > MAX_STEP_TOKENS:
            yield step
            step = []
        step.append(prompt)
    if step:
        yield step


def no_embedding_model() -> ConfigurationError:
    """Return the error of an engine that is to embed, and was given nothing to do it with."""
    reason = (
        "names no model: a model that writes does not embed, so give the folder of one that does"
    )
    return ConfigurationError(setting="embedding_model", reason=reason)
