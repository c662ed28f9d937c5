"""A request without what only Anthropic's API knows, for everybody else."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from stormproof.providers.anthropic.request import OWN_FIELDS
from stormproof.providers.chat import ChatRequest, Document

_FIELDS: Final = frozenset({*OWN_FIELDS, "betas", "output_config"})
_MARKS: Final = frozenset({"cache_control", "thinking_blocks", "is_error"})


def plain(request: ChatRequest) -> Document:
    """Return a request's document as all models can read it.

    Args:
        request: What is asked; if it is not extended, it is passed on as it is.
    """
    if not request.extended:
        return request.document
    document = {name: it for name, it in request.document.items() if name not in _FIELDS}
    document["messages"] = _messages(document["messages"])
    if tools := document.get("tools"):
        document["tools"] = [_unmarked(tool) for tool in tools]
    return document


def _messages(messages: Sequence[Document]) -> list[Document]:
    made: list[Document] = []
    for of_tools, group in groupby(map(_unmarked, messages), key=lambda one: one["role"] == "tool"):
        together = [*group]
        made += _results(together) if of_tools else together
    return made


def _unmarked(document: Document) -> Document:
    kept = {name: it for name, it in document.items() if name not in _MARKS}
    for name in ("content", "tool_calls"):
        if isinstance(kept.get(name), list):
            kept[name] = [_unmarked(part) for part in kept[name]]
    return kept


def _results(messages: Sequence[Document]) -> list[Document]:
    """Return what tools gave as texts, and pictures as shown by the user."""
    shown = [part for one in messages for part in _parts(one) if part["type"] != "text"]
    told = [{**one, "content": _texts(one)} for one in messages]
    return [*told, {"role": "user", "content": shown}] if shown else told


def _texts(message: Document) -> str:
    return "".join(part["text"] for part in _parts(message) if part["type"] == "text")


def _parts(message: Document) -> Sequence[Document]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
