"""Tools in a conversation: offered to the model, called by it, and what came of it."""

import json
from typing import Any

from stormproof.engine import Tool
from stormproof.errors import InvalidRequest
from stormproof.providers.local.schema import ChatRequest, Message, ToolCall


def offered(body: ChatRequest) -> list[Tool]:
    """Return the tools that the answer may call.

    Raises:
        InvalidRequest: The parameters of one are not an object.
    """
    found = []
    for tool in body.callable_tools:
        function = tool.function
        parameters = function.parameters or {}
        if parameters.get("type", "object") != "object":
            reason = "the parameters of a function must be an object"
            raise InvalidRequest(reason=reason, param="tools")
        found.append(Tool(function.name, function.description or "", parameters))
    return found


def said(message: Message) -> dict[str, Any]:
    """Return a message as chat templates read it."""
    found: dict[str, Any] = {"role": _role(message.role), "content": message.text}
    if message.tool_calls:
        found["tool_calls"] = [_called(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        found["tool_call_id"] = message.tool_call_id
    if message.name is not None and message.role == "tool":
        found["name"] = message.name
    return found


def _role(role: str) -> str:
    """Chat templates know OpenAI's newer name for the system's voice only by its old one."""
    return "system" if role == "developer" else role


def _called(call: ToolCall) -> dict[str, Any]:
    function = call.function
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": function.name, "arguments": _arguments(function.arguments)},
    }


def _arguments(text: str) -> Any:
    """Parse arguments, which templates write out again; what does not parse stays a text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
