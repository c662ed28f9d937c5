"""A request as Anthropic's Messages API wants it."""

import re
from typing import Any, Final

from stormproof.errors import InvalidRequest
from stormproof.providers.anthropic.conversation import instructions, turns
from stormproof.providers.anthropic.tools import tool_choice, tools
from stormproof.providers.chat import ChatRequest, Document

OWN_FIELDS: Final = (
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "mcp_servers",
    "speed",
    "thinking",
)
"""Fields that only Anthropic has. It refuses those that it does not know, and a request that
others were to answer may have any."""

_HOTTEST: Final = 1.0
_JSON: Final = "Answer with one JSON object and with nothing else, not even a fence around it."
_MOST_BETAS: Final = 64
_BETA: Final = re.compile(r"[a-zA-Z0-9_.-]{1,100}")


def body(request: ChatRequest, *, samples: bool, max_tokens: int, prefills: bool) -> dict[str, Any]:
    """Return what to send, save for the model and whether to stream; None is nothing.

    Args:
        request: What is asked.
        samples: Whether the API knows temperature and top_p.
        max_tokens: How long an answer may be, in tokens, where the request does not say it.
        prefills: Whether the model goes on with a last message of the assistant.

    Raises:
        InvalidRequest: Something cannot be translated.
    """
    if request.choices > 1:
        raise InvalidRequest(reason="the model gives one answer at a time", param="n")
    document = request.document
    told = instructions(request)
    if _form(request) == "json_object":
        told.append({"type": "text", "text": _JSON})
    user = document.get("user")
    return {
        **{name: document.get(name) for name in OWN_FIELDS},
        **(_sampling(request) if samples else {}),
        "max_tokens": request.max_tokens or max_tokens,
        "messages": turns(request, prefills=prefills and not _thinks(request)),
        "metadata": {"user_id": user} if user else None,
        "output_config": _output(request),
        "stop_sequences": request.stops or None,
        "system": told or None,
        "tool_choice": tool_choice(request),
        "tools": tools(request) or None,
    }


def beta(request: ChatRequest) -> str | None:
    """Return what of the API that is not for everybody yet the request wants, as in its header.

    Raises:
        InvalidRequest: That is no list of names.
    """
    names = request.document.get("betas") or ()
    fine = isinstance(names, list | tuple) and len(names) <= _MOST_BETAS
    if not fine or not all(map(_is_name, names)):
        raise InvalidRequest(reason="betas must be a list of names", param="betas")
    return ",".join(names) or None


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _BETA.fullmatch(name) is not None


def _thinks(request: ChatRequest) -> bool:
    """Whether the model is to think first, which does not go together with prefill."""
    thinking = request.document.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") in ("adaptive", "enabled")


def _sampling(request: ChatRequest) -> Document:
    """Return how freely to choose; of temperature and top_p many models take only one.

    Who speaks Anthropic's API knows what they take.
    """
    others = {"top_p": request.document.get("top_p"), "top_k": request.document.get("top_k")}
    if request.temperature is None:
        return others
    chosen = {"temperature": min(request.temperature, _HOTTEST)}
    return {**others, **chosen} if request.extended else chosen


def _output(request: ChatRequest) -> Document | None:
    """Return the form of the answer, beside what else is wanted of it."""
    wanted = request.document.get("output_config") or {}
    if not isinstance(wanted, dict):
        raise InvalidRequest(reason="output_config must be an object", param="output_config")
    if _form(request) != "json_schema":
        return wanted or None
    match request.document["response_format"]:
        case {"json_schema": {"schema": dict(schema)}}:
            return {**wanted, "format": {"type": "json_schema", "schema": schema}}
    raise InvalidRequest(reason="json_schema must hold a schema", param="response_format")


def _form(request: ChatRequest) -> Any:
    return (request.document.get("response_format") or {}).get("type")
