"""Anthropic's Messages API."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from stormproof.errors import InternalError
from stormproof.providers.anthropic.answer import usage_of
from stormproof.providers.chat import Document
from stormproof.providers.documents import decoded, parsed, understood
from stormproof.providers.sse import ServerEvent
from stormproof.reflex.admission import Admission
from stormproof.reflex.asgi.spoken import Spoken, SpokenTexts
from stormproof.reflex.asgi.viewed_api import ViewedApi
from stormproof.reflex.asgi.views import View, ViewedRequest
from stormproof.reflex.asgi.wire import document_in, encode, written
from stormproof.reflex.passages import Place, rewritten
from stormproof.reflex.stage import Request

_CALLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_TURN: Final = frozenset({"role", "content"})


class _Turn(Struct, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[Document]


class _Fields(Struct, frozen=True):
    messages: Annotated[list[_Turn], Meta(min_length=1)]
    system: str | list[Document] | None = None


class _MessagesEvents:
    """Reads the events of a stream; see `Events`. Texts are known by the index of their block."""

    def __init__(self, admission: Admission[Request]) -> None:
        self._admission = admission
        self._texts = SpokenTexts(admission)
        self._tokens: Document = {}
        self._json: set[object] = set()

    async def read(self, event: ServerEvent) -> bytes:
        match document := document_in(event.data) or {}:
            case {"type": "content_block_start", "index": int(index), "content_block": dict(block)}:
                begun = await self._begun(index, block)
                return _event({**document, "content_block": begun})
            case {"type": "content_block_delta", "index": int(index), "delta": dict(delta)}:
                return await self._delta(index, delta, event)
            case {"type": "content_block_stop", "index": int(index)}:
                return await self._left(index) + written(event)
            case {"type": "message_start", "message": {"usage": dict(counted)}}:
                self._count(counted)
            case {"type": "message_delta", "usage": dict(counted)}:
                self._count(counted)
            case {"type": "message_stop"}:
                left = await self.end()
                await self._texts.close()
                return left + written(event)
        return written(event)

    async def end(self) -> bytes:
        return b"".join([await self._left(key) for key in self._texts.open])

    async def _begun(self, index: int, block: Document) -> Document:
        """Return a block as it begins; what it begins with is said at once, or all there is."""
        values: dict[Place, str] = {}
        for one in _texts({"content": [block]}):
            if one.text and not (one.json and block["input"] == {}):
                said = await self._texts.add(index, one.text, json=one.json)
                values[one.place] = said + (await self._texts.end(index) if one.json else "")
        begun: Document = _with({"content": [block]}, values)["content"][0]
        return begun

    async def _delta(self, index: int, delta: Document, event: ServerEvent) -> bytes:
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                said = await self._texts.add(index, text, json=False)
            case {"type": "input_json_delta", "partial_json": str(text)}:
                self._json.add(index)
                said = await self._texts.add(index, text, json=True)
            case _:
                return written(event)
        return self._piece(index, said)

    async def _left(self, index: object) -> bytes:
        return self._piece(index, await self._texts.end(index))

    def _piece(self, index: object, text: str) -> bytes:
        if not text:
            return b""
        if index in self._json:
            delta = {"type": "input_json_delta", "partial_json": text}
        else:
            delta = {"type": "text_delta", "text": text}
        return _event({"type": "content_block_delta", "index": index, "delta": delta})

    def _count(self, counted: Document) -> None:
        """Take what is counted now for what was counted before."""
        self._tokens |= {name: value for name, value in counted.items() if value is not None}
        if usage := usage_of(self._tokens):
            self._admission.used(usage)


def _view(document: Document) -> View:
    """Return a request in the common tongue.

    Raises:
        InvalidRequest: It is none.
    """
    understood(document, _Fields)
    others = {name: it for name, it in document.items() if name not in {"messages", "system"}}
    view = View(others)
    match document:
        case {"output_config": {"format": dict(form)}}:
            view.add("response_format", form, ("output_config", "format"))
    match document:
        case {"metadata": {"user_id": str(user)}}:
            view.add("user", user, ("metadata", "user_id"))
    if system := document.get("system"):
        view.say({"role": "system", "content": system}, (), (("content",), ("system",)))
    for number, turn in enumerate(document["messages"]):
        _say_turn(view, turn, ("messages", number))
    return view


def _say_turn(view: View, turn: Document, place: Place) -> None:
    content = turn["content"]
    if isinstance(content, str):
        view.say(turn, place)
        return
    if turn.keys() > _TURN:  # the API knows no others; whoever does gets them
        view.say({**turn, "content": None}, place)
    for number, block in enumerate(content):
        _say_block(view, turn["role"], block, (*place, "content", number))


def _say_block(view: View, role: str, block: Document, place: Place) -> None:
    """Add a block: what tools gave, and calls of them, as messages by themselves."""
    kind = str(block.get("type"))
    if kind == "tool_result":
        content = block.get("content")
        told = {"tool_call_id": block.get("tool_use_id"), "content": content}
        view.say({"role": "tool", **told}, place)
    elif kind in _CALLS:
        called = {"name": block.get("name"), "input": block.get("input")}
        call = {"id": block.get("id"), "type": "custom", "custom": called}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        view.say(message, place, (("tool_calls", 0, "custom", "input"), ("input",)))
    else:
        said_by = "tool" if kind.endswith("_tool_result") else role
        view.say({"role": said_by, "content": [block]}, place, (("content", 0), ()))


def _texts(message: Document) -> Iterator[Spoken]:
    """Yield what a message says; signed thoughts stay as the model had them."""
    content = message.get("content")
    for number, block in enumerate(content if isinstance(content, list) else ()):
        match block:
            case {"type": "text", "text": str(text)}:
                yield Spoken(("content", number, "text"), text)
            case {"type": str(kind), "input": dict(arguments)} if kind in _CALLS:
                text = encode(arguments).decode()
                yield Spoken(("content", number, "input"), text, json=True)


def _with(message: Document, texts: Mapping[Place, str]) -> Document:
    """Return a message with other texts in some places."""
    values: dict[Place, Any] = {
        place: _arguments(text) if place[-1] == "input" else text for place, text in texts.items()
    }
    return rewritten(message, values) if values else message


def _arguments(text: str) -> Document:
    """Return the arguments of a call.

    Raises:
        InternalError: They are no JSON object any more.
    """
    try:
        return parsed(text.encode())
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InternalError(reason="a stage has made no JSON object of arguments") from None


def _event(document: Document) -> bytes:
    return written(ServerEvent(str(document["type"]), encode(document)))


MESSAGES: Final = ViewedApi(
    asked=lambda body: ViewedRequest(decoded(body), _view),
    is_answer=lambda document: document.get("type") == "message",
    texts=_texts,
    with_texts=_with,
    usage=usage_of,
    events=_MessagesEvents,
)
"""That API, and the one that only counts the tokens of a request."""
