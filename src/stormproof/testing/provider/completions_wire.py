"""A scripted provider's answers in the form of OpenAI's older completions."""

from functools import lru_cache
from typing import Any, Final

from stormproof.testing.provider.http_wire import BODY_END, Stream, compact, document, event
from stormproof.testing.provider.openai_wire import DONE, described, usage_of
from stormproof.testing.provider.replies import Rest, tokens_of

GARBAGE: Final = event(b'{"id":"cmpl-scripted","choices":[{"te')
_KIND: Final = "text_completion"


@lru_cache
def whole(rest: Rest) -> bytes:
    """Return an answer that is not streamed."""
    return document(described(_KIND, _choice(rest.reply.text, "stop"), usage=usage_of(rest)))


@lru_cache
def stream(rest: Rest, *, counted: bool) -> Stream:
    """Return a streamed answer; arguments as for `openai_wire.stream`."""
    tokens = tuple(_event(_choice(token)) for token in tokens_of(rest.reply.text))
    usage = _event(usage=usage_of(rest)) if counted else b""
    return Stream.of(tokens, _event(_choice("", "stop")) + usage + event(DONE) + BODY_END)


def _choice(text: str, finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}


def _event(*choices: dict[str, Any], usage: Any = None) -> bytes:
    return event(compact(described(_KIND, *choices, usage=usage)))
