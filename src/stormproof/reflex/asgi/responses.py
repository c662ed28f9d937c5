"""OpenAI's Responses API."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from stormproof.errors import InvalidRequest
from stormproof.providers import Usage
from stormproof.providers.chat import Document
from stormproof.providers.documents import decoded, understood
from stormproof.providers.sse import ServerEvent
from stormproof.reflex.admission import Admission
from stormproof.reflex.asgi.api import Asked
from stormproof.reflex.asgi.spoken import Spoken, SpokenTexts
from stormproof.reflex.asgi.viewed_api import ViewedApi
from stormproof.reflex.asgi.views import View, ViewedRequest
from stormproof.reflex.asgi.wire import document_in, encode, written
from stormproof.reflex.passages import Place, rewritten
from stormproof.reflex.stage import Request

_SAID: Final = ("text", "refusal")
_GIVEN: Final = ("arguments", "input", "code", "output")
_SOUNDS: Final = frozenset({"response.audio", "response.output_audio"})
_SUMMARY: Final = "response.reasoning_summary_text"
_PICTURES: Final = frozenset({"image_generation_call"})
"""Items that hold no text."""

_ENDS: Final = frozenset({"completed", "incomplete", "failed"})
_Place: TypeAlias = tuple[int | None, int | None]
"""Of an item in an answer, and of a part in it."""


class _Fields(Struct, frozen=True):
    input: str | list[Document] | None = None
    instructions: str | list[Document] | None = None


class _Counted(Struct, frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: Document | None = None
    output_tokens_details: Document | None = None


class _ResponsesEvents:
    """Reads the events of a stream; see `Events`.

    They tell every text in pieces, and then again as a whole, with its part, with its item and
    with the response: the stages see the pieces, and what they have made of those is told again.
    """

    def __init__(self, admission: Admission[Request]) -> None:
        self._admission = admission
        self._texts = SpokenTexts(admission)
        self._said: dict[Hashable, list[str]] = {}
        self._last: dict[Hashable, tuple[str, Document]] = {}
        self._number: int | None = None

    async def read(self, event: ServerEvent) -> bytes:
        document = document_in(event.data)
        kind = document.get("type") if document else None
        if document is None or not isinstance(kind, str):
            return written(event)
        stem, _, step = kind.rpartition(".")
        key = (stem, *_place(document))
        if step == "delta" and stem not in _SOUNDS and isinstance(document.get("delta"), str):
            self._last[key] = (event.kind, document)
            said = await self._add(key, document["delta"], json=stem.endswith("arguments"))
            return self._piece(key, said)
        if step in _ENDS and isinstance(response := document.get("response"), dict):
            return await self._ended(event.kind, document, response)
        return await self._again(event.kind, document, begins=step == "added")

    async def end(self) -> bytes:
        return b"".join([await self._left(key) for key in self._texts.open])

    async def _ended(self, kind: str, document: Document, response: Document) -> bytes:
        """Return the last event, and what is left to say before it."""
        said = await self.end() + await self._again(kind, document, begins=False)
        await self._texts.close()
        if usage := _usage(response.get("usage")):
            self._admission.used(usage)
        return said

    async def _again(self, kind: str, document: Document, *, begins: bool) -> bytes:
        """Return an event that tells again what was said, or how something begins."""
        left, texts = b"", dict[Place, str]()
        for one in _in_event(document):
            if one.key not in self._said and one.text:
                await self._add(one.key, one.text, json=one.json)
            if not begins:
                left += await self._left(one.key)
            texts[one.place] = "".join(self._said.get(one.key, ()))
        return left + self._event(kind, _with(document, texts))

    async def _add(self, key: Hashable, text: str, *, json: bool) -> str:
        said = await self._texts.add(key, text, json=json)
        self._said.setdefault(key, []).append(said)
        return said

    async def _left(self, key: Hashable) -> bytes:
        """Return the end of a text, if it is one that has not ended."""
        left = await self._texts.end(key)
        if left:
            self._said[key].append(left)
        piece = self._piece(key, left)
        self._last.pop(key, None)
        return piece

    def _piece(self, key: Hashable, text: str) -> bytes:
        """Return the event that adds to a text; nothing where that is only told as a whole."""
        if not text or key not in self._last:
            return b""
        kind, document = self._last[key]
        return self._event(kind, _with(document, {("delta",): text}))

    def _event(self, kind: str, document: Document) -> bytes:
        """Return an event with its number among those that are sent."""
        number = document.get("sequence_number")
        if isinstance(number, int):
            self._number = number if self._number is None else self._number + 1
            document = {**document, "sequence_number": self._number}
        return written(ServerEvent(kind, encode(document)))


def _asked(body: bytes) -> Asked:
    """Return a request.

    Raises:
        InvalidRequest: It is none, or its answer is to be fetched elsewhere.
    """
    document = decoded(body)
    if document.get("background"):
        reason = "background: its answer would come by a way that is not guarded"
        raise InvalidRequest(reason=reason, param="background")
    return ViewedRequest(document, _view)


def _view(document: Document) -> View:
    """Return a request in the common tongue.

    Raises:
        InvalidRequest: It is none.
    """
    asked = understood(document, _Fields)
    apart = {"input", "instructions", "text"}
    view = View({name: it for name, it in document.items() if name not in apart})
    match document.get("text"):
        case {"format": dict(form), **others}:
            view.add("response_format", form, ("text", "format"))
            view.add("text", others, ("text",))
        case str() | dict() | list() as text:
            view.add("text", text, ("text",))
    if length := document.get("max_output_tokens"):
        view.add("max_completion_tokens", length, ("max_output_tokens",))
    if asked.instructions:
        message = {"role": "system", "content": asked.instructions}
        view.say(message, (), (("content",), ("instructions",)))
    if not isinstance(asked.input, list):  # without any, the prompt is kept elsewhere
        view.say({"role": "user", "content": asked.input}, (), (("content",), ("input",)))
        return view
    for number, item in enumerate(asked.input):
        _say_item(view, item, ("input", number))
    return view


def _say_item(view: View, item: Document, place: Place) -> None:
    """Add an item: messages, calls and results as such, others as what tools gave."""
    kind = str(item.get("type", "message"))
    if kind == "message":
        view.say(item, place)
    elif kind in {"function_call", "custom_tool_call"}:
        _say_call(view, item, place)
    elif kind in {"function_call_output", "custom_tool_call_output"}:
        message = {"tool_call_id": item.get("call_id"), "content": item.get("output")}
        view.say({"role": "tool", **message}, place, (("content",), ("output",)))
    elif kind not in _PICTURES:
        role = "assistant" if kind == "reasoning" else "tool"
        view.say({"role": role, "content": [item]}, place, (("content", 0), ()))


def _say_call(view: View, item: Document, place: Place) -> None:
    kind, field = ("function", "arguments") if "arguments" in item else ("custom", "input")
    called = {"name": item.get("name"), field: item.get(field)}
    call = {"id": item.get("call_id"), "type": kind, kind: called}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    view.say(message, place, (("tool_calls", 0, kind, field), (field,)))


def _texts(response: Document, place: Place = ()) -> Iterator[Spoken]:
    """Yield what a response says."""
    output = response.get("output")
    for number, item in enumerate(output if isinstance(output, list) else ()):
        if isinstance(item, dict):
            yield from _in_item(item, number, (*place, "output", number))


def _in_event(event: Document) -> Iterator[Spoken]:
    """Yield what an event tells as a whole."""
    at, kind = _place(event), str(event["type"])
    match event:
        case {"response": dict(response)}:
            yield from _texts(response, ("response",))
        case {"item": dict(item)}:
            yield from _in_item(item, at[0], ("item",))
        case {"part": dict(part)}:
            yield from _in_part(part, at, ("part",))
        case _ if kind.endswith(".done"):
            stem = kind.removesuffix(".done")
            for field in (*_SAID, *_GIVEN):
                if isinstance(text := event.get(field), str):
                    yield Spoken((field,), text, stem.endswith("arguments"), (stem, *at))


def _in_item(item: Document, number: int | None, place: Place) -> Iterator[Spoken]:
    for name in ("content", "summary"):
        parts = item.get(name)
        for n, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, dict):
                yield from _in_part(part, (number, n), (*place, name, n))
    for field in _GIVEN:
        if isinstance(text := item.get(field), str):
            key = (f"response.{item.get('type')}_{field}", number, None)
            yield Spoken((*place, field), text, field == "arguments", key)


def _in_part(part: Document, at: _Place, place: Place) -> Iterator[Spoken]:
    kind = part.get("type")
    stem = _SUMMARY if kind == "summary_text" else f"response.{kind}"
    for field in _SAID:
        if isinstance(text := part.get(field), str):
            yield Spoken((*place, field), text, key=(stem, *at))


def _place(event: Document) -> _Place:
    part = event.get("content_index", event.get("summary_index"))
    places = (event.get("output_index"), part)
    item, part = (one if isinstance(one, int) else None for one in places)
    return item, part


def _with(document: Document, texts: Mapping[Place, str]) -> Document:
    """Return a document with other texts in some places, and without the tokens of those."""
    values: dict[Place, Any] = {}
    for place, text in texts.items():
        if text != _at(document, place):
            values[place] = text
            if "logprobs" in _at(document, place[:-1]):
                values[*place[:-1], "logprobs"] = []
    return rewritten(document, values) if values else document


def _at(document: Any, place: Place) -> Any:
    for step in place:
        document = document[step]
    return document


def _usage(counted: object) -> Usage | None:
    """Return the tokens that a response tells; what makes no sense is as good as nothing."""
    try:
        tokens = msgspec.convert(counted, _Counted)
    except msgspec.ValidationError:
        return None
    return Usage(
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.input_tokens_details,
        tokens.output_tokens_details,
    )


RESPONSES: Final = ViewedApi(
    asked=_asked,
    is_answer=lambda document: isinstance(document.get("output"), list),
    texts=_texts,
    with_texts=_with,
    usage=_usage,
    events=_ResponsesEvents,
)
"""That API, and those that only count the tokens of a request, or make it short."""
