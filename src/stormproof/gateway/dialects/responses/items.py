"""What a conversation consists of in OpenAI's Responses API."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from stormproof.providers.chat import Document

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
FunctionName: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,128}$")]


class InputText(Struct, frozen=True, tag="input_text"):
    """What somebody says."""

    text: str


class InputImage(Struct, frozen=True, tag="input_image"):
    """A picture, at its address or as a data URL."""

    image_url: str
    detail: str | None = None


class InputFile(Struct, frozen=True, tag="input_file"):
    """A document, as a data URL."""

    file_data: str
    filename: str | None = None


class OutputText(Struct, frozen=True, tag="output_text"):
    """What the model said."""

    text: str


class OutputRefusal(Struct, frozen=True, tag="refusal"):
    """With what it declined."""

    refusal: str


Part: TypeAlias = InputText | InputImage | InputFile | OutputText | OutputRefusal


class Message(Struct, frozen=True, tag="message"):
    """One message."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Part]


class FunctionCall(Struct, frozen=True, tag="function_call"):
    """A call that the model made before."""

    call_id: Id
    name: FunctionName
    arguments: str


class FunctionCallOutput(Struct, frozen=True, tag="function_call_output"):
    """What came of it."""

    call_id: Id
    output: str | list[InputText]


class Reasoning(Struct, frozen=True, tag="reasoning"):
    """What the model thought before, which no other wants to hear."""


Item: TypeAlias = Message | FunctionCall | FunctionCallOutput | Reasoning


def messages(items: Sequence[Item]) -> list[Document]:
    """Return the messages of a conversation; calls belong to what the model said before them."""
    made: list[Document] = []
    for item in items:
        match item:
            case Message(role, content):
                made.append({"role": role, "content": _content(content)})
            case FunctionCall():
                if not made or made[-1]["role"] != "assistant":
                    made.append({"role": "assistant", "content": None})
                made[-1].setdefault("tool_calls", []).append(_call(item))
            case FunctionCallOutput(call_id, output):
                told = _content(output)
                made.append({"role": "tool", "tool_call_id": call_id, "content": told})
    return made


def _content(said: str | list[Part] | list[InputText]) -> str | list[Document]:
    """Return a message's content; a text alone is one."""
    match said:
        case str():
            return said
        case [InputText() | OutputText() as only]:
            return only.text
    return [_part(part) for part in said]


def _part(part: Part) -> Document:
    match part:
        case InputText() | OutputText():
            return {"type": "text", "text": part.text}
        case InputImage(url, detail):
            detailed = {} if detail is None else {"detail": detail}
            return {"type": "image_url", "image_url": {"url": url, **detailed}}
        case InputFile(data, filename):
            named = {} if filename is None else {"filename": filename}
            return {"type": "file", "file": {"file_data": data, **named}}
        case OutputRefusal(refusal):
            return {"type": "refusal", "refusal": refusal}


def _call(call: FunctionCall) -> Document:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.call_id, "type": "function", "function": function}
