"""How a model is told of tools, and how it writes that it calls one.

Every family was trained on a form of its own. Which one a model knows shows in its chat template.
A model whose template knows nothing of tools is told of them in words, in the most common form.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stormproof.engine.sampling.grammar import COMPACT_JSON, Grammar

MOST_CALLS: Final = 16
"""How many calls an answer may have that must have some."""

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may ask its caller to call.

    Attributes:
        name: Its name: letters, digits, ``_`` and ``-``.
        description: What it does.
        parameters: JSON schema of its arguments, an object.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the tool as OpenAI's API and most templates write it."""
        function = {"name": self.name, "parameters": {"type": "object", **self.parameters}}
        if self.description:
            function["description"] = self.description
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """How calls are written.

    Attributes:
        begin: Text before each call; where there is none, calls stand at the answer's beginning.
        end: Text after each call.
        arguments: The key of the arguments, beside ``name``.
        between: Text from one call to the next.
        opening: Text before the first call.
        closing: Text after the last call.
        marker: Control token before all of it.
    """

    begin: str = ""
    end: str = ""
    arguments: str = "arguments"
    between: str = "\n"
    opening: str = ""
    closing: str = ""
    marker: str | None = None

    def grammar(
        self, tools: Sequence[Tool], *, several: bool, marker_id: int | None = None
    ) -> Grammar:
        """Return the grammar of answers that are nothing but calls with valid arguments.

        Args:
            tools: Which may be called.
            several: Whether there may be more calls than one.
            marker_id: The token of ``marker``, if the vocabulary has it.

        Raises:
            ValidationErrors: The schemas of the parameters are too long.
        """
        return Grammar.lark("\n".join(self._rules(tools, several, marker_id)))

    def _rules(self, tools: Sequence[Tool], several: bool, marker_id: int | None) -> Iterator[str]:
        marker = "" if marker_id is None else f"<[{marker_id}]>"
        opening, closing, between, begin, end = map(
            json.dumps, (self.opening, self.closing, self.between, self.begin, self.end)
        )
        more = f"({between} call){{0,{MOST_CALLS - 1}}}" if several else ""
        yield f"start: {marker} {opening} call {more} {closing}"
        names = " | ".join(f"tool{number}" for number in range(len(tools)))
        yield f"call: {begin} ({names}) {end}"
        for number, tool in enumerate(tools):
            head = json.dumps(f'{{"name": "{tool.name}", "{self.arguments}": ')
            schema = {"type": "object", **tool.parameters, "x-guidance": dict(COMPACT_JSON)}
            yield f'tool{number}: {head} %json {json.dumps(schema)} "}}"'


HERMES: Final = ToolFormat(begin="<tool_call>\n", end="\n</tool_call>")
LLAMA: Final = ToolFormat(arguments="parameters", between="; ")
MISTRAL: Final = ToolFormat(opening="[", between=", ", closing="]", marker="[TOOL_CALLS]")


def format_of(template: str) -> ToolFormat | None:
    """Return the form that a chat template speaks of; None if it knows none that is supported."""
    if "tools" not in template or "<function=" in template:
        return None
    if "[TOOL_CALLS]" in template:
        return None if "[ARGS]" in template else MISTRAL
    if "<tool_call>" in template:
        return HERMES
    return LLAMA if '"parameters"' in template else None


def in_words(messages: Sequence[Message], tools: Sequence[Tool]) -> list[Message]:
    """Return messages for a template that knows nothing of tools, with all about them as text."""
    spoken = [_spoken(message) for message in messages]
    if not tools:
        return spoken
    introduction = _introduction(tools)
    if spoken and spoken[0].get("role") == "system":
        told = {"role": "system", "content": f"{spoken[0]['content']}\n\n{introduction}"}
        return [told, *spoken[1:]]
    return [{"role": "system", "content": introduction}, *spoken]


def _introduction(tools: Sequence[Tool]) -> str:
    listed = "\n".join(
        json.dumps(tool.document()["function"], ensure_ascii=False) for tool in tools
    )
    return (
        f"You can call these functions:\n{listed}\n\n"
        'To call one, write <tool_call>\n{"name": "...", "arguments": {...}}\n</tool_call>'
    )


def _spoken(message: Message) -> Message:
    if message.get("role") == "tool":
        text = f"<tool_response>\n{message['content']}\n</tool_response>"
        return {"role": "user", "content": text}
    calls = [_call_in_words(call["function"]) for call in message.get("tool_calls") or ()]
    if not calls:
        return message
    return {
        "role": message["role"],
        "content": "\n".join(filter(None, [message["content"], *calls])),
    }


def _call_in_words(function: Mapping[str, Any]) -> str:
    call = {"name": function["name"], "arguments": function["arguments"]}
    return f"{HERMES.begin}{json.dumps(call, ensure_ascii=False)}{HERMES.end}"
