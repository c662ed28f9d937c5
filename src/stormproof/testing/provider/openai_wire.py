"""A scripted provider's answers in the form of OpenAI's chat completions."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from stormproof.testing.provider.http_wire import BODY_END, Stream, compact, document, event
from stormproof.testing.provider.replies import Rest, tokens_of

CREATED: Final = 1_700_000_000
PROMPT_TOKENS: Final = 20
DONE: Final = b"[DONE]"
GARBAGE: Final = event(b'{"id":"chatcmpl-scripted","choices":[{"del')
ERROR_EVENT: Final = event(b'{"error":{"message":"the script says so","type":"server_error"}}')


@lru_cache
def whole(rest: Rest) -> bytes:
    """Return an answer that is not streamed."""
    reply = rest.reply
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": call._asdict()} for call in reply.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": _reason(rest)}
    return document(described("chat.completion", choice, usage=usage_of(rest)))


@lru_cache
def stream(rest: Rest, *, counted: bool) -> Stream:
    """Return a streamed answer.

    Args:
        rest: What it says.
        counted: Whether its tokens are counted in its last event but one.
    """
    speaker = _event({"role": "assistant", "content": ""})
    first, *others = [*map(_event, _deltas(rest)), b""]
    end = _event({}, _reason(rest)) + (_usage_event(rest) if counted else b"") + event(DONE)
    return Stream.of((speaker + first, *others[:-1]) if first else (), end + BODY_END)


def refusal(status: int, retry_after: int | None) -> bytes:
    """Return an error."""
    kind = "rate_limit_error" if status == HTTPStatus.TOO_MANY_REQUESTS else "server_error"
    error = {"message": "the script says so", "type": kind, "param": None, "code": str(status)}
    return document({"error": error}, status, retry_after)


def _deltas(rest: Rest) -> Iterator[Mapping[str, Any]]:
    """Yield what each token adds."""
    for token in tokens_of(rest.reply.text):
        yield {"content": token}
    for place, (name, arguments) in enumerate(rest.reply.calls):
        begun = {"name": name, "arguments": ""}
        call_id = rest.reply.calls[place].id
        yield _call({"index": place, "id": call_id, "type": "function", "function": begun})
        for token in tokens_of(arguments):
            yield _call({"index": place, "function": {"arguments": token}})


def _call(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"tool_calls": [part]}


def _reason(rest: Rest) -> str:
    return "tool_calls" if rest.reply.calls else "stop"


def _event(delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return event(compact(described("chat.completion.chunk", choice)))


def _usage_event(rest: Rest) -> bytes:
    return event(compact(described("chat.completion.chunk", usage=usage_of(rest))))


def usage_of(rest: Rest) -> dict[str, int]:
    """Return how many tokens there are."""
    prompt, tokens = PROMPT_TOKENS + rest.begun, rest.reply.tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": tokens,
        "total_tokens": prompt + tokens,
    }


def described(kind: str, *choices: Mapping[str, Any], usage: Any = None) -> dict[str, Any]:
    """Return choices with what every object of OpenAI's has beside them."""
    made = {
        "id": "chatcmpl-scripted",
        "object": kind,
        "created": CREATED,
        "model": "scripted",
        "choices": choices,
    }
    return made if usage is None else {**made, "usage": usage}
