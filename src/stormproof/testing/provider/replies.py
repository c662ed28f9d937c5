"""What a model behind a scripted provider says."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias
from zlib import crc32

_TOKEN: Final = re.compile(r"\s*\S+ ?|\s+")
_LETTERS: Final = 4
"""In a token of what somebody else says, as a rule of thumb."""


class Said(NamedTuple):
    """Something that was said in a conversation, whichever API it came through.

    Attributes:
        role: Who said it: ``system``, ``user``, ``assistant``, or ``tool`` for a tool's result.
        text: What.
    """

    role: str
    text: str


class ToolCall(NamedTuple):
    """A call of a tool.

    Attributes:
        name: The tool.
        arguments: A JSON object.
    """

    name: str
    arguments: str = "{}"

    @property
    def id(self) -> str:
        """The same for the same call, whoever makes it."""
        return f"call_{crc32(f'{self.name}{self.arguments}'.encode()):08x}"


class Reply(NamedTuple):
    """What is said next: a text, calls of tools, or both.

    Attributes:
        text: The text.
        calls: The calls behind it.
    """

    text: str = ""
    calls: tuple[ToolCall, ...] = ()

    @property
    def tokens(self) -> int:
        """How long it is: its calls have a token for the name, and those of the arguments."""
        arguments = (len(tokens_of(call.arguments)) for call in self.calls)
        return len(tokens_of(self.text)) + len(self.calls) + sum(arguments)


Speaker: TypeAlias = Callable[[Sequence[Said]], Reply]
"""Says what comes next in a conversation."""


@lru_cache
def text_of(tokens: int) -> str:
    """Return an answer of this many tokens. No two of them are the same."""
    return "".join(f"w{place} " for place in range(tokens))


def tokens_of(text: str) -> list[str]:
    """Return a text's tokens: words, with the white space around them."""
    return _TOKEN.findall(text)


class Rest(NamedTuple):
    """What is left to say of a reply.

    Attributes:
        reply: That.
        begun: How many tokens the conversation has grown by: the beginning, and a wish.
    """

    reply: Reply
    begun: int = 0


def rest_of(conversation: Sequence[Said], says: Speaker) -> Rest:
    """Return what is left of a reply that the conversation may have begun.

    It has if it ends with a beginning said by the assistant, or with such a one and a user's wish
    that it go on. Calls of tools are never begun.
    """
    for behind, last in enumerate(("assistant", "user"), start=1):
        if len(conversation) <= behind or conversation[-1].role != last:
            continue
        role, text = conversation[-behind]
        reply = says(conversation[:-behind])
        left = reply._replace(text=reply.text.removeprefix(text))
        begun = role == "assistant" and reply.text.startswith(text)
        if begun and (left.text or left.calls or last == "assistant"):
            wish = conversation[-1].text if last == "user" else ""
            return Rest(left, len(tokens_of(text)) + len(wish) // _LETTERS)
    return Rest(says(conversation))


def rest_of_text(text: str, says: Speaker) -> Rest:
    """Return what is left of a reply that a text to continue may end with a beginning of.

    It is the same reply wherever the text ends.
    """
    reply = says([Said("user", text)])
    ends = (end for end in range(len(reply.text), 0, -1) if text.endswith(reply.text[:end]))
    end = next(ends, 0)
    return Rest(Reply(reply.text[end:]), len(tokens_of(reply.text[:end])))
