"""The texts of a request: where each stands, and who said it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stormproof.providers import ChatRequest, EmbeddingRequest
from stormproof.providers.chat import Document

if TYPE_CHECKING:
    from stormproof.reflex.stage import Request

Place = tuple[str | int, ...]
"""Keys and indices, from a request's document down to a text."""

_USUAL: Final = frozenset({"role", "content", "name", "tool_call_id"})
"""Fields of most messages: without others, there is no text but the content."""


class Passage(NamedTuple):
    """One text of a request.

    Attributes:
        place: Where it stands.
        text: The text.
        role: Who said it: ``system``, ``user``, ``assistant``, ``tool`` …; texts outside of
            conversations are the user's.
        tool: By which tool a result was given, or for which one arguments are, where that is told.
    """

    place: Place
    text: str
    role: str = "user"
    tool: str | None = None


def told(place: Place) -> str:
    """Return a place as errors tell it: ``messages.2.content``."""
    return ".".join(map(str, place))


def passages(request: "Request") -> Sequence[Passage]:
    """Return every text of a request that a person or a tool may have written.

    Tokens, which clients of completions and embeddings may send in place of texts, are none.
    """
    if isinstance(request, ChatRequest):
        return list(_conversation(request))
    if isinstance(request, EmbeddingRequest):
        return list(_texts(request.document, "input"))
    return [*_texts(request.document, "prompt"), *_texts(request.document, "suffix")]


def with_texts(request: "Request", texts: Mapping[Place, str]) -> "Request":
    """Return a request with other texts in some of its places; at least one."""
    document = rewritten(request.document, texts)
    if isinstance(request, ChatRequest):
        return ChatRequest(document, extended=request.extended)
    return type(request)(document)


def rewritten(document: Document, texts: Mapping[Place, str]) -> Document:
    """Return a document with other texts in some places; what is not on the way is shared.

    Args:
        document: Of a request.
        texts: By the places of its passages; at least one.
    """
    copied: Document = _with(document, list(texts.items()))
    return copied


def _with(value: Any, texts: Sequence[tuple[Place, str]]) -> Any:
    """Return a value, with other texts in some places of it."""
    if not texts[0][0]:
        return texts[0][1]
    inner: dict[str | int, list[tuple[Place, str]]] = {}
    for place, text in texts:
        inner.setdefault(place[0], []).append((place[1:], text))
    copy = value.copy()
    for key, those in inner.items():
        copy[key] = _with(copy[key], those)
    return copy


def _conversation(request: ChatRequest) -> Iterator[Passage]:
    called: dict[str, str] = {}
    said: Sequence[Document] = request.document["messages"]
    for index, message in enumerate(request.messages):
        place = ("messages", index)
        for call in message.tool_calls or ():
            if isinstance(name := _name(call), str):
                called[str(call.get("id"))] = name
        tool = message.name or called.get(message.tool_call_id or "")
        by = tool if message.role in {"tool", "function"} else None
        for where, text in _content(message.content):
            yield Passage((*place, *where), text, message.role, by)
        if said[index].keys() - _USUAL:
            yield from _asides(said[index], place, message.role)
            yield from _arguments(said[index], place, message.role)
    if isinstance(expected := request.document.get("prediction"), dict):
        for where, text in _content(expected.get("content")):
            yield Passage(("prediction", *where), text)


def _content(content: object) -> Iterator[tuple[Place, str]]:
    if isinstance(content, str):
        yield ("content",), content
    elif isinstance(content, list):
        for index, part in enumerate(content):
            for key in ("text", "refusal"):
                if isinstance(part, dict) and isinstance(text := part.get(key), str):
                    yield ("content", index, key), text


def _asides(message: Document, place: Place, role: str) -> Iterator[Passage]:
    """Return what was thought, but for signed thoughts, which nobody can change, and refusals."""
    for key in ("reasoning", "reasoning_content", "refusal"):
        if isinstance(text := message.get(key), str):
            yield Passage((*place, key), text, role)


def _arguments(message: Document, place: Place, role: str) -> Iterator[Passage]:
    for index, call in enumerate(message.get("tool_calls") or ()):
        for kind in ("function", "custom"):
            yield from _argument(call.get(kind), (*place, "tool_calls", index, kind), role)
    yield from _argument(message.get("function_call"), (*place, "function_call"), role)


def _argument(function: object, place: Place, role: str) -> Iterator[Passage]:
    if not isinstance(function, dict):
        return
    for key in ("arguments", "input"):
        if isinstance(text := function.get(key), str):
            yield Passage((*place, key), text, role, function.get("name"))


def _name(call: Document) -> object:
    function = call.get("function")
    return function.get("name") if isinstance(function, dict) else None


def _texts(document: Document, field: str) -> Iterable[Passage]:
    value = document.get(field)
    if isinstance(value, str):
        return [Passage((field,), value)]
    listed = value if isinstance(value, list) else ()
    return [Passage((field, n), text) for n, text in enumerate(listed) if isinstance(text, str)]
