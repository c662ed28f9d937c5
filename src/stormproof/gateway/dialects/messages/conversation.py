"""A conversation in Anthropic's API: two sides that take turns."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from stormproof.gateway.dialects.messages.blocks import (
    Call,
    Part,
    Result,
    Text,
    Thought,
    call,
    content,
    result,
)
from stormproof.providers.anthropic.answer import RedactedThinking, Thinking
from stormproof.providers.chat import Document

Said: TypeAlias = Thought | Text | Call

_ORDER: Final = {Thinking: 0, RedactedThinking: 0, Text: 1, Call: 2}
"""In which one message of the common tongue holds them."""


class UserTurn(Struct, frozen=True, tag_field="role", tag="user"):
    """What the user says, and what came of calls."""

    content: str | list[Part | Result]


class AssistantTurn(Struct, frozen=True, tag_field="role", tag="assistant"):
    """What the model said."""

    content: str | list[Said]


class SystemTurn(Struct, frozen=True, tag_field="role", tag="system"):
    """An instruction in between."""

    content: str | list[Text]


Turn: TypeAlias = UserTurn | AssistantTurn | SystemTurn


def messages(turn: Turn) -> Iterable[Document]:
    """Return the messages of a turn, so that each is in the order in which it is told."""
    match turn:
        case SystemTurn(said):
            return [{"role": "system", "content": content(said)}]
        case UserTurn(said):
            return [{"role": "user", "content": said}] if isinstance(said, str) else _asked(said)
        case AssistantTurn(said):
            blocks = [Text(said)] if isinstance(said, str) else said
            return filter(None, map(_said, _in_order(blocks)))


def _asked(blocks: Sequence[Part | Result]) -> list[Document]:
    made: list[Document] = []
    for of_tools, group in groupby(blocks, key=lambda block: isinstance(block, Result)):
        if of_tools:
            made += [result(block) for block in group if isinstance(block, Result)]
        else:
            parts = [block for block in group if not isinstance(block, Result)]
            made.append({"role": "user", "content": content(parts)})
    return made


def _in_order(blocks: Sequence[Said]) -> list[list[Said]]:
    """Cut a turn where a message of its own has to begin."""
    groups: list[list[Said]] = []
    for block in blocks:
        if not groups or _ORDER[type(block)] < _ORDER[type(groups[-1][-1])]:
            groups.append([])
        groups[-1].append(block)
    return groups


def _said(blocks: Sequence[Said]) -> Document | None:
    """Return a message; thoughts that are not signed come from models that want none back."""
    texts = [block for block in blocks if isinstance(block, Text)]
    calls = [call(block) for block in blocks if isinstance(block, Call)]
    thoughts = [
        block
        for block in blocks
        if isinstance(block, RedactedThinking) or (isinstance(block, Thinking) and block.signature)
    ]
    others = {"thinking_blocks": msgspec.to_builtins(thoughts), "tool_calls": calls}
    message = {name: value for name, value in others.items() if value}
    if not texts and not message:
        return None
    return {"role": "assistant", "content": content(texts) if texts else None, **message}
