"""A stream put together to a whole answer."""

from typing import Any

from stormproof.providers.chat import Chunk, Completion, Document, Usage


class Collector:
    """Takes the pieces of a stream, and has the whole answer at its end."""

    def __init__(self) -> None:
        self._choices: dict[int, Document] = {}
        self._calls: dict[int, dict[int, Document]] = {}
        self._usage: Usage | None = None

    def add(self, chunk: Chunk) -> None:
        """Take a piece."""
        if chunk.usage:
            self._usage = chunk.usage
        if not chunk.delta and chunk.finish_reason is None:
            return
        message: Document = {"role": "assistant", "content": None}
        choice = self._choices.setdefault(
            chunk.index, {"index": chunk.index, "message": message, "finish_reason": None}
        )
        for name, value in chunk.delta.items():
            if name == "tool_calls":
                self._add_calls(chunk.index, value)
            elif isinstance(value, str) and name != "role":
                choice["message"][name] = (choice["message"].get(name) or "") + value
        if chunk.logprobs:
            choice["logprobs"] = _joined(choice.get("logprobs"), chunk.logprobs)
        choice["finish_reason"] = chunk.finish_reason or choice["finish_reason"]

    def completion(self) -> Completion | None:
        """Return the whole answer; None if it has no end."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        if not choices or any(choice["finish_reason"] is None for choice in choices):
            return None
        for index, calls in self._calls.items():
            self._choices[index]["message"]["tool_calls"] = [calls[n] for n in sorted(calls)]
        return Completion({"choices": choices}, self._usage or Usage())

    def _add_calls(self, index: int, parts: Any) -> None:
        calls = self._calls.setdefault(index, {})
        for part in parts or ():
            function = part.get("function") or {}
            call = calls.setdefault(
                part.get("index", 0),
                {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
            )
            call["id"] = call["id"] or part.get("id") or ""
            for name in ("name", "arguments"):
                call["function"][name] += function.get(name) or ""


def _joined(before: Document | None, logprobs: Document) -> Document:
    """Join what is known of tokens: ``content``, ``refusal``, each a list."""
    before = before or {}
    return {name: [*(before.get(name) or ()), *(new or ())] for name, new in logprobs.items()}
