"""What is in a message: parts in OpenAI's API, blocks in Anthropic's."""

from collections.abc import Sequence
from typing import Final

from stormproof.errors import InvalidRequest
from stormproof.providers.chat import Document

_TRANSLATED: Final = frozenset({"text", "image_url", "input_audio", "file", "refusal"})


def blocks(content: str | Sequence[Document] | None) -> list[Document]:
    """Return the blocks of a message's content; blank texts, which Anthropic refuses, are left out.

    Parts that OpenAI's API does not have are taken for Anthropic's own.

    Raises:
        InvalidRequest: A part is not what it must be, or nothing that these models understand.
    """
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    made = [_block(part) for part in parts]
    return [block for block in made if block.get("type") != "text" or block["text"].strip()]


def _block(part: Document) -> Document:
    match part:
        case {"type": "text", "text": str()}:
            return part
        case {"type": "refusal", "refusal": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return marked(part, {"type": "image", "source": _source(url)})
        case {"type": "file", "file": {"file_data": str(data), **file}}:
            named = {"title": file["filename"]} if "filename" in file else {}
            return marked(part, {"type": "document", "source": _source(data), **named})
        case {"type": str(kind)} if kind in _TRANSLATED:
            raise InvalidRequest(reason=f"the model has no use for this {kind}", param="messages")
    return part


def marked(part: Document, block: Document) -> Document:
    """Return a block with the mark, if it has one, up to which the prompt is to be cached."""
    mark = part.get("cache_control")
    return {**block, "cache_control": mark} if mark else block


def _source(url: str) -> Document:
    """Return where a picture or a document comes from; data URLs (RFC 2397) hold it."""
    if url[:5].lower() != "data:":
        return {"type": "url", "url": url}
    head, _, data = url[5:].partition(",")
    media, *parameters = head.split(";")
    if "base64" not in parameters:
        raise InvalidRequest(reason="a data URL must be encoded as base64", param="messages")
    return {"type": "base64", "media_type": media, "data": data}
