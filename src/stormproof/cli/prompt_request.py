"""What a line of a file of prompts asks for, as a strict model."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stormproof.engine import SamplingParams, Tokenizer
from stormproof.errors import translate
from stormproof.providers.local.schema import MAX_MESSAGES, Message, Text

DEFAULT_MAX_TOKENS: Final = 512
_NOT_SAMPLING: Final = frozenset({"id", "prompt", "messages"})


class PromptRequest(BaseModel):
    """One line: a ``prompt`` or ``messages``, an ``id``, and how to answer.

    Values are checked where they are used: see `SamplingParams`.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    id: (
        Annotated[str, Field(max_length=512)] | Annotated[int, Field(ge=-(2**63), lt=2**64)] | None
    ) = None
    prompt: Text | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)] | None = None

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[Annotated[str, Field(pattern=r"^[0-9]{1,9}$")], float] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = None
    ignore_eos: bool | None = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> "PromptRequest":
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("a line has either a prompt or messages")
        return self

    @classmethod
    def parse(cls, text: bytes) -> "PromptRequest":
        """Read a line.

        Raises:
            ValidationErrors: It is not JSON, or not what a line may be; all problems are named.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise translate(error) from None  # the original holds what was read

    def tokens(self, tokenizer: Tokenizer) -> list[int]:
        """Return the prompt's tokens: a ``prompt`` to be continued, ``messages`` to be answered.

        Raises:
            PromptError: The model's template cannot render the messages.
        """
        if self.prompt is not None:
            return tokenizer.prompt(self.prompt)
        messages = self.messages or []
        return tokenizer.chat([{"role": _role(m.role), "content": m.text} for m in messages])

    def params(self, defaults: Mapping[str, Any], *, room: int) -> SamplingParams:
        """Return how to answer: what the line says before ``defaults``.

        Args:
            defaults: Options of `SamplingParams`.
            room: Tokens left beside the prompt, for an answer whose length nobody chose.

        Raises:
            ValidationErrors: Values are out of range.
        """
        own = self.model_dump(exclude=set(_NOT_SAMPLING), exclude_none=True)
        if "logit_bias" in own:
            own["logit_bias"] = {int(token): bias for token, bias in own["logit_bias"].items()}
        if "stop" in own:
            own["stop"] = (self.stop,) if isinstance(self.stop, str) else tuple(own["stop"])
        fitting = {"max_tokens": max(1, min(DEFAULT_MAX_TOKENS, room))}
        return SamplingParams(**{**fitting, **defaults, **own})


def _role(role: str) -> str:
    """Chat templates know OpenAI's newer name for the system's voice only by its old one."""
    return "system" if role == "developer" else role
