"""What is in a message of Anthropic's API, and its counterpart in the common tongue."""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from stormproof.providers.anthropic.answer import RedactedThinking, Thinking, ToolUse, tool_call
from stormproof.providers.anthropic.content import marked
from stormproof.providers.chat import Document

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
MediaType: TypeAlias = Annotated[str, Meta(pattern=r"^[\w.+-]{1,64}/[\w.+-]{1,64}$")]


class Text(Struct, frozen=True, tag="text"):
    """What somebody says."""

    text: str
    cache_control: Document | None = None


class Encoded(Struct, frozen=True, tag="base64"):
    """The bytes of a picture or of a document."""

    media_type: MediaType
    data: str


class Linked(Struct, frozen=True, tag="url"):
    """Where a picture or a document is."""

    url: str


Source: TypeAlias = Encoded | Linked


class Image(Struct, frozen=True, tag="image"):
    """A picture."""

    source: Source
    cache_control: Document | None = None


class File(Struct, frozen=True, tag="document"):
    """A document, such as a PDF."""

    source: Source
    title: str | None = None
    cache_control: Document | None = None


class Call(ToolUse, frozen=True, tag="tool_use"):
    """A call of a tool that the model made before."""

    cache_control: Document | None = None


Part: TypeAlias = Text | Image | File
Thought: TypeAlias = Thinking | RedactedThinking


class Result(Struct, frozen=True, tag="tool_result"):
    """What came of a call."""

    tool_use_id: Id
    content: str | list[Part] | None = None
    is_error: bool | None = None
    cache_control: Document | None = None


def part(block: Part) -> Document:
    """Return a part of a message's content."""
    return _marked(block, _unmarked(block))


def content(said: str | list[Part] | list[Text]) -> str | list[Document]:
    """Return a message's content; a text alone is one."""
    match said:
        case str():
            return said
        case [Text(text, None)]:
            return text
    return [part(block) for block in said]


def call(block: Call) -> Document:
    """Return a call of a tool."""
    return _marked(block, tool_call(block))


def result(block: Result) -> Document:
    """Return the message in which a tool tells what came of a call."""
    told = {"role": "tool", "tool_call_id": block.tool_use_id}
    failed = {"is_error": True} if block.is_error else {}
    return _marked(block, {**told, "content": content(block.content or ""), **failed})


def _unmarked(block: Part) -> Document:
    match block:
        case Text(text):
            return {"type": "text", "text": text}
        case Image(source):
            return {"type": "image_url", "image_url": {"url": _url(source)}}
        case File(source, title):
            named = {} if title is None else {"filename": title}
            return {"type": "file", "file": {"file_data": _url(source), **named}}


def _marked(block: Part | Call | Result, made: Document) -> Document:
    return marked({"cache_control": block.cache_control}, made)


def _url(source: Source) -> str:
    """Return where it is; as a data URL (RFC 2397), where that is here."""
    if isinstance(source, Linked):
        return source.url
    return f"data:{source.media_type};base64,{source.data}"
