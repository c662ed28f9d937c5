"""What a model may call, and whether it has to."""

from typing import Final

from stormproof.errors import InvalidRequest
from stormproof.providers.chat import ChatRequest, Document

_WAYS: Final = {"auto": "auto", "none": "none", "required": "any"}
_OWN_WAYS: Final = ("auto", "any", "tool", "none")


def tools(request: ChatRequest) -> list[Document]:
    """Return Anthropic's definitions; those that are no functions are taken for its own.

    Raises:
        InvalidRequest: A function is not what it must be.
    """
    return [_tool(tool) for tool in request.tools]


def tool_choice(request: ChatRequest) -> Document | None:
    """Return how the model is to choose among the tools; None leaves it to itself.

    Raises:
        InvalidRequest: There is no such choice.
    """
    if not request.tools:
        return None
    alone = request.document.get("parallel_tool_calls") is False
    choice = _choice(request.document.get("tool_choice") or "auto")
    if choice["type"] != "none" and alone:
        return {**choice, "disable_parallel_tool_use": True}
    return None if choice == {"type": "auto"} else choice


def _tool(tool: Document) -> Document:
    if tool.get("type") != "function":
        return tool
    function = tool.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise InvalidRequest(reason="a tool must have a function with a name", param="tools")
    others = {name: value for name, value in tool.items() if name not in {"type", "function"}}
    made = {"name": function["name"], "input_schema": _schema(function.get("parameters")), **others}
    kept = {name: function[name] for name in ("description", "strict") if function.get(name)}
    return {**made, **kept}


def _schema(parameters: object) -> Document:
    if parameters is not None and not isinstance(parameters, dict):
        raise InvalidRequest(reason="parameters must be a JSON schema", param="tools")
    return {"type": "object", **(parameters or {})}


def _choice(asked: str | Document) -> Document:
    match asked:
        case str() if asked in _WAYS:
            return {"type": _WAYS[asked]}
        case {"type": "function", "function": {"name": str(name)}}:
            return {"type": "tool", "name": name}
        case dict() if asked.get("type") in _OWN_WAYS:
            return asked
    raise InvalidRequest(reason="there is no such choice of tools", param="tool_choice")
