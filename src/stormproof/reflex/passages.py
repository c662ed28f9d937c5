"""The texts of a request: where each stands, and who said it.

Whatever a provider is sent counts, also in fields that nobody here knows: definitions of tools,
stop sequences, names, metadata. What is left out is what clients, models and servers tell one
another by (names of tools, ids, keys of objects), what proves to a tool's server who asks, signed
thoughts, which nobody can change, and the bytes and addresses of pictures, sounds and files.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from stormproof.errors import InvalidInput
from stormproof.providers import ChatRequest, EmbeddingRequest, TextRequest
from stormproof.providers.chat import Document
from stormproof.reflex.thoughts import unsigned_texts

if TYPE_CHECKING:
    from stormproof.reflex.stage import Request

Place = tuple[str | int, ...]
"""Keys and indices, from a request's document down to a text."""

DEFINITION: Final = "definition"
"""The role of whoever defined a tool, or the form of an answer."""

_USUAL: Final = frozenset({"role", "content", "name", "tool_call_id"})
"""Fields of most messages: without others, there is no text but the content."""

_HOLDING: Final = (str, list, dict)
"""What texts may be in."""

_PLAIN_FIELDS: Final = 2
"""Of a message: ``role``, which each has, and ``content``."""

_THOUGHTS: Final = ("reasoning_details", "thinking_blocks")
_MESSAGE: Final = _USUAL | {
    *("tool_calls", "function_call", *_THOUGHTS, "audio", "cache_control"),
}
_OWN: Final[Mapping[type, frozenset[str]]] = {
    ChatRequest: frozenset({"messages"}),
    TextRequest: frozenset({"prompt", "suffix"}),
    EmbeddingRequest: frozenset({"input"}),
}
"""Fields that are read by themselves."""

_TEXTLESS: Final = frozenset(
    {
        *("model", "tool_choice", "betas", "stream_options"),
        *("previous_response_id", "conversation", "include"),
    }
)

_DEFINING: Final = frozenset(
    {"tools", "functions", "mcp_servers", "response_format", "output_config"}
)
_CONNECTING: Final = frozenset(
    {"url", "server_url", "headers", "authorization", "authorization_token"}
)
"""Fields with which a provider reaches a tool's server."""

_OPAQUE: Final = ("image_url", "input_audio", "video_url", "thinking", "redacted_thinking")
"""Kinds of parts of a message that hold no text, or none that can be changed."""

_NAMING: Final = frozenset(
    {
        *("name", "type", "$ref", "id", "call_id", "tool_call_id", "tool_use_id", "signature"),
        "media_type",
    }
)
_TEXTLESS_IN: Final = frozenset(
    {
        *(("base64", "data"), ("url", "url")),
        *(("input_image", "image_url"), ("computer_screenshot", "image_url")),
        *(("input_file", "file_data"), ("input_file", "file_url")),
        *(("reasoning", "encrypted_content"), ("web_search_result", "encrypted_content")),
    }
)
"""Bytes and addresses of pictures and files, and what only a provider can read, by the kinds of
parts that have them."""

_NAME: Final = re.compile(r"[\w.:/#$-]{1,256}", re.ASCII)
_MOST: Final = 10_000
"""Texts of a request: each costs a look, however short it is."""

_PLAIN: Final = 64
"""Characters of a key that is told."""

_WORD: Final = re.compile(r"[A-Za-z]{0,16}")
"""Of which definitions are full, and which instruct nobody: types, kinds of forms."""


class Passage(msgspec.Struct, frozen=True):
    """One text of a request.

    Attributes:
        place: Where it stands.
        text: The text.
        role: Who said it: ``system``, ``user``, ``assistant``, ``tool`` …, or ``definition`` of a
            tool or of an answer's form; other texts outside of conversations are the user's.
        tool: By which tool a result was given, for which one arguments are, or which is defined,
            where that is told.
    """

    place: Place
    text: str
    role: str = "user"
    tool: str | None = None


def told(place: Place) -> str:
    """Return a place as errors tell it: ``messages.2.content``.

    A key that is no plain name is not told: a client may have chosen it.
    """
    return ".".join([step if _is_plain(step) else "?" for step in map(str, place)])


def passages(request: "Request") -> Sequence[Passage]:
    """Return every text of a request that a person or a tool may have written.

    Tokens, which clients of completions and embeddings may send in place of texts, are none.

    Raises:
        InvalidInput: There are too many.
    """
    others = _others(request)
    if isinstance(request, ChatRequest):
        plainly = _plainly_said(request.document["messages"])
        if plainly and not others and len(plainly) <= _MOST:
            return plainly
        said = plainly or _conversation(request)
    else:
        said = chain.from_iterable(
            _texts(request.document, field) for field in sorted(_OWN[type(request)])
        )
    found = list(islice(chain(said, *others), _MOST + 1))
    if len(found) > _MOST:
        raise InvalidInput(reason=f"it has more than {_MOST} texts")
    return found


def _others(request: "Request") -> Sequence[Iterator[Passage]]:
    """Return the texts of each other field that may hold some."""
    own = _OWN[type(request)]
    found: list[Iterator[Passage]] = []
    for field, value in request.document.items():
        if isinstance(value, _HOLDING) and field not in own and field not in _TEXTLESS:
            defining = field in _DEFINING
            found.append(_definitions(field, value) if defining else _within(value, (field,)))
    return found


def with_texts(request: "Request", texts: Mapping[Place, str]) -> "Request":
    """Return a request with other texts in some of its places."""
    document = rewritten(request.document, texts)
    if isinstance(request, ChatRequest):
        return ChatRequest(document, extended=request.extended)
    return type(request)(document)


def rewritten(document: Document, values: Mapping[Place, Any]) -> Document:
    """Return a document with other values in some places; what is not on the way is shared.

    Args:
        document: Of a request, or of an answer.
        values: Texts, by the places of passages, or others.
    """
    copied = document.copy()
    own: set[int] = set()  # the copies that were made on the way to other places
    for place, value in values.items():
        inner: Any = copied
        for key in place[:-1]:
            within = inner[key]
            if id(within) not in own:
                within = inner[key] = within.copy()
                own.add(id(within))
            inner = within
        inner[place[-1]] = value
    return copied


def _plainly_said(messages: Sequence[Document]) -> Sequence[Passage]:
    """Return the texts of messages that have a role and a text each, as most do; else nothing."""
    found: list[Passage] = []
    for index, message in enumerate(messages):
        text = message.get("content")
        if len(message) > _PLAIN_FIELDS or type(text) is not str:
            return ()
        found.append(Passage(("messages", index, "content"), text, message["role"]))
    return found


def _conversation(request: ChatRequest) -> Iterator[Passage]:
    called: dict[str, str] = {}
    said: Sequence[Document] = request.document["messages"]
    for index, message in enumerate(request.messages):
        place = ("messages", index)
        if message.tool_calls:
            called |= _called(message.tool_calls)
        from_tool = message.role in {"tool", "function"}
        by = (message.name or called.get(message.tool_call_id or "")) if from_tool else None
        if isinstance(message.content, str):
            yield Passage((*place, "content"), message.content, message.role, by)
        elif message.content:
            for where, text in _parts(message.content):
                yield Passage((*place, *where), text, message.role, by)
        if message.name and not from_tool:
            yield Passage((*place, "name"), message.name, message.role)
        if others := said[index].keys() - _USUAL:
            yield from _beside(said[index], place, message.role, others)


def _called(calls: Iterable[Document]) -> Mapping[str, str]:
    """Return the names of tools by the calls of them."""
    return {str(call.get("id")): name for call in calls if (name := _name(call))}


def _beside(message: Document, place: Place, role: str, fields: Set[str]) -> Iterator[Passage]:
    """Yield the texts of a message that are not its content."""
    yield from _arguments(message, place, role)
    for thoughts in _THOUGHTS:
        for position, field, text in unsigned_texts(message.get(thoughts)):
            yield Passage((*place, thoughts, position, field), text, role)
    if isinstance(audio := message.get("audio"), dict) and (heard := _string(audio, "transcript")):
        yield Passage((*place, "audio", "transcript"), heard, role)
    for field in sorted(fields - _MESSAGE):
        if not _names(field, message[field]):
            yield from _within(message[field], (*place, field), role)


def _parts(content: Sequence[Document]) -> Iterator[tuple[Place, str]]:
    for index, part in enumerate(content):
        text = part.get("text")
        if isinstance(text, str) and part.get("type") == "text":
            yield ("content", index, "text"), text
        else:
            yield from _in_part(part, ("content", index))


def _in_part(part: Document, place: Place) -> Iterator[tuple[Place, str]]:
    """Return the texts of a part that is another thing than a text."""
    if part.get("type") == "file" and isinstance(file := part.get("file"), dict):
        if isinstance(name := file.get("filename"), str):
            yield (*place, "file", "filename"), name
    elif part.get("type") not in _OPAQUE:
        for passage in _within(part, place):
            yield passage.place, passage.text


def _arguments(message: Document, place: Place, role: str) -> Iterator[Passage]:
    for index, call in enumerate(message.get("tool_calls") or ()):
        for kind in ("function", "custom"):
            yield from _argument(call.get(kind), (*place, "tool_calls", index, kind), role)
    yield from _argument(message.get("function_call"), (*place, "function_call"), role)


def _argument(function: object, place: Place, role: str) -> Iterator[Passage]:
    if isinstance(function, dict):
        for key in ("arguments", "input"):
            yield from _within(function.get(key), (*place, key), role, _string(function, "name"))


def _definitions(field: str, value: object) -> Iterator[Passage]:
    if not isinstance(value, list):
        yield from _within(value, (field,), DEFINITION)
        return
    for index, tool in enumerate(value):
        if isinstance(tool, dict):
            told = {key: inner for key, inner in tool.items() if key not in _CONNECTING}
            yield from _within(told, (field, index), DEFINITION, _name(tool))


def _within(
    value: object, place: Place, role: str = "user", tool: str | None = None
) -> Iterator[Passage]:
    """Return all texts in a value, however deep: nobody has bounded that yet."""
    waiting = [(place, value)]
    while waiting:
        where, inner = waiting.pop()
        if isinstance(inner, str):
            if role != DEFINITION or not _WORD.fullmatch(inner):
                yield Passage(where, inner, role, tool)
        elif isinstance(inner, dict):
            waiting += [
                ((*where, key), one)
                for key, one in reversed(inner.items())
                if not _names(key, one) and (str(inner.get("type")), key) not in _TEXTLESS_IN
            ]
        elif isinstance(inner, list):
            waiting += [((*where, key), one) for key, one in reversed([*enumerate(inner)])]


def _names(key: str, value: object) -> bool:
    """Return whether a field only names something; also a field may have such a name."""
    return key in _NAMING and isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_plain(step: str) -> bool:
    return step.isascii() and (step.isdecimal() or step.isidentifier()) and len(step) <= _PLAIN


def _name(tool: Document) -> str | None:
    """Return the name of a tool, as its definition or a call of it tells it."""
    for kind in ("function", "custom"):
        if isinstance(described := tool.get(kind), dict):
            return _string(described, "name")
    return _string(tool, "name")


def _string(document: Document, key: str) -> str | None:
    text = document.get(key)
    return text if isinstance(text, str) else None


def _texts(document: Document, field: str) -> Iterable[Passage]:
    value = document.get(field)
    if isinstance(value, str):
        return [Passage((field,), value)]
    listed = value if isinstance(value, list) else ()
    return [Passage((field, n), text) for n, text in enumerate(listed) if isinstance(text, str)]
