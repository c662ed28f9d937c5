"""Text to tokens and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import tokenizers
from tokenizers.pre_tokenizers import Metaspace

from stormproof.engine.answers.tool_format import HERMES, Tool, ToolFormat, in_words
from stormproof.engine.tokens.chat_template import ChatTemplate
from stormproof.engine.tokens.control_tokens import ControlTokens, unused_mark
from stormproof.engine.tokens.spelling import spelling_of
from stormproof.errors import PromptError, TokenizationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stormproof.engine.sampling.grammar import Grammar

_ENDS: Final = frozenset({
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|end|>",
    "<end_of_turn>", "</s>",
})  # fmt: skip
"""Control tokens that end a text in every model that has them. Checkpoints often name only one."""


class Tokenizer:
    """A model's tokenizer.

    A control token is recognised only where the model's own template wrote it, never in a user's
    text; see `stormproof.engine.tokens.control_tokens`.

    Args:
        backend: The tokenizer proper.
        eos_ids: Tokens that end a text, as far as the checkpoint names them.
        template: Chat template; ChatML when there is none.
        names: Texts of special tokens by the name that templates use, such as ``bos_token``.

    Raises:
        Unusable: It is of an unsupported kind.
    """

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        *,
        eos_ids: frozenset[int],
        template: str | None,
        names: Mapping[str, str],
    ) -> None:
        backend.no_truncation()
        backend.no_padding()
        self._start_ids = _start_ids(backend)
        backend.encode_special_tokens = True  # that is: as the text they are, not as themselves
        self._backend = backend
        self._inner = _without_prefix_space(backend)
        self._spelling = spelling_of(backend.decoder)
        self._added = backend.get_added_tokens_decoder()
        self._controls = ControlTokens({i: t for i, t in self._added.items() if t.special})
        self._bytes: dict[int, bytes] = {}
        self._named = (eos_ids, template, dict(names))
        self._template = ChatTemplate(template, names)
        self.vocab_size: Final = backend.get_vocab_size()
        self.eos_ids: Final = eos_ids | {
            self._controls.ids[t] for t in _ENDS & {*self._controls.ids}
        }

    @classmethod
    def from_json(
        cls,
        definition: str,
        *,
        eos_ids: frozenset[int],
        template: str | None,
        names: Mapping[str, str],
    ) -> Tokenizer:
        """The tokenizer that the text of a ``tokenizer.json`` defines; the rest as above."""
        backend = tokenizers.Tokenizer.from_str(definition)
        return cls(backend, eos_ids=eos_ids, template=template, names=names)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._backend.to_str(), *self._named)

    def encode(self, text: str, *, special: bool) -> list[int]:
        """The tokens of a text, without any that begin or end a prompt.

        Args:
            text: The text.
            special: Whether control tokens that it spells are those tokens. Never true for text
                from outside.

        Raises:
            PromptError: The text holds half a surrogate pair.
            TokenizationError: The vocabulary has no tokens for it.
        """
        return self._encode_parsed(text, mark="") if special else self._encode_plain(text)

    def prompt(self, text: str) -> list[int]:
        """The tokens of a prompt to be continued, begun as the model expects.

        Raises:
            PromptError: As for `encode`.
        """
        return [*self._start_ids, *self._encode_plain(text)]

    @property
    def tool_format(self) -> ToolFormat:
        """How the model writes that it calls a tool."""
        return self._template.tool_format or HERMES

    def tool_grammar(self, tools: Sequence[Tool], *, several: bool) -> Grammar:
        """The grammar of answers that are nothing but calls with valid arguments.

        Args:
            tools: Which may be called.
            several: Whether there may be more calls than one.

        Raises:
            ValidationErrors: The schemas of the parameters are too long.
        """
        marker = self._controls.ids.get(self.tool_format.marker or "")
        return self.tool_format.grammar(tools, several=several, marker_id=marker)

    def chat(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Tool] = ()) -> list[int]:
        """The tokens of a conversation, up to where the assistant is to speak.

        Args:
            messages: Each with a ``role`` and a ``content``, and what else the template reads.
            tools: Functions that the assistant may call.

        Raises:
            PromptError: The template cannot render the messages, or as for `encode`.
        """
        if self._template.tool_format is None:
            messages, tools = in_words(messages, tools), ()
        said = [messages, [tool.document() for tool in tools]]
        try:
            mark = unused_mark(said)
            marked = self._controls.mark(said, mark)
        except RecursionError:
            raise PromptError(reason="the messages are nested too deeply") from None
        return self._encode_parsed(self._template.render(*marked), mark)

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token stands for; none for a control token or an unknown one."""
        found = self._bytes.get(token_id)
        if found is None:
            found = self._bytes[token_id] = self._spell(token_id)
        return found

    def decode(self, token_ids: Iterable[int]) -> str:
        """The text of tokens in the middle of a text, without control tokens.

        Bytes that are not UTF-8 become U+FFFD.
        """
        return b"".join(map(self.token_bytes, token_ids)).decode("utf-8", "replace")

    def _encode_parsed(self, text: str, mark: str) -> list[int]:
        ids: list[int] = []
        for part in self._controls.split(text):
            if isinstance(part, int):
                ids.append(part)
            elif part:
                ids += self._encode_plain(part.replace(mark, ""), inner=bool(ids))
        return ids

    def _encode_plain(self, text: str, *, inner: bool = False) -> list[int]:
        backend = self._inner if inner else self._backend
        try:
            ids: list[int] = backend.encode(text, add_special_tokens=False).ids
        except (UnicodeEncodeError, TypeError) as error:
            raise PromptError(reason="the text is not valid Unicode") from error
        except Exception as error:  # the library has no class of its own for this
            raise TokenizationError(reason="the vocabulary does not cover the text") from error
        return ids

    def _spell(self, token_id: int) -> bytes:
        added = self._added.get(token_id)
        if added is not None:
            return b"" if added.special else added.content.encode()
        token = self._backend.id_to_token(token_id) if 0 <= token_id < self.vocab_size else None
        return b"" if token is None else self._spelling(token)


def _restored(
    definition: str, eos_ids: frozenset[int], template: str | None, names: dict[str, str]
) -> Tokenizer:
    return Tokenizer.from_json(definition, eos_ids=eos_ids, template=template, names=names)


def _start_ids(backend: tokenizers.Tokenizer) -> list[int]:
    """What the tokenizer's post-processor puts before a text: usually one token, or nothing."""
    encoding = backend.encode("a")
    return encoding.ids[: encoding.special_tokens_mask.index(0)]


def _without_prefix_space(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The tokenizer for text inside a text, which puts no space before its first word."""
    splitter = backend.pre_tokenizer
    if not isinstance(splitter, Metaspace) or splitter.prepend_scheme != "first":
        return backend
    inner = tokenizers.Tokenizer.from_str(backend.to_str())
    inner.pre_tokenizer = Metaspace(splitter.replacement, "never", splitter.split)
    inner.encode_special_tokens = True
    return inner
