"""What no model should be asked, however it is meant: the stage that comes first."""

from typing import Any, Final

from stormproof.errors import FieldProblem, ValidationErrors
from stormproof.providers import ChatRequest
from stormproof.reflex.passages import told
from stormproof.reflex.stage import PASSED, Call, Outcome, Rejected

_CONTROL: Final = bytes({*range(32), 127} - set(b"\t\n\r"))
"""Of ASCII; as bytes of UTF-8 they are parts of nothing else."""

_NESTING: Final = frozenset({dict, list})

_MOST_PROBLEMS: Final = 50


class ValidateStage:
    """Turns requests away that are larger than anybody's should be; all that is wrong is told.

    Args:
        max_messages: Most messages of a conversation.
        max_characters: Most characters of all texts together, which later stages have to read.
        max_tools: Most tools that a model may call.
        max_depth: Most levels of lists and objects in a conversation's request.
        control_characters: Whether texts may hold any but tabs and ends of lines.

    Attributes:
        name: ``validate``.
    """

    name: Final = "validate"

    def __init__(
        self,
        *,
        max_messages: int = 2000,
        max_characters: int = 400_000,
        max_tools: int = 256,
        max_depth: int = 64,
        control_characters: bool = True,
    ) -> None:
        self._max_messages = max_messages
        self._max_characters = max_characters
        self._max_tools = max_tools
        self._max_depth = max_depth
        self._control_characters = control_characters

    def enter(self, call: Call) -> Outcome:
        """Measure a request."""
        found: list[FieldProblem] = []
        if isinstance(call.request, ChatRequest):
            self._check_conversation(call.request, found)
        text = call.text
        if len(text) > self._max_characters:
            self._check_length(call, found)
        if not self._control_characters and _has_control(text):
            found += [
                _problem(told(passage.place), "has control characters", "control")
                for passage in call.passages
                if _has_control(passage.text)
            ]
        if not found:
            return PASSED
        reason = "the request is not let in,"
        return Rejected(ValidationErrors(errors=found[:_MOST_PROBLEMS], reason=reason))

    def _check_length(self, call: Call, found: list[FieldProblem]) -> None:
        characters = sum([len(passage.text) for passage in call.passages])
        if characters > self._max_characters:
            found.append(_excess("", characters, "characters", self._max_characters))

    def _check_conversation(self, request: ChatRequest, found: list[FieldProblem]) -> None:
        messages, tools = len(request.messages), len(request.tools)
        if messages > self._max_messages:
            found.append(_excess("messages", messages, "messages", self._max_messages))
        if tools > self._max_tools:
            found.append(_excess("tools", tools, "tools", self._max_tools))
        if _deeper(request.document, self._max_depth):
            found.append(_problem("", f"has more than {self._max_depth} levels", "too_deep"))


def _excess(field: str, count: int, what: str, most: int) -> FieldProblem:
    return _problem(field, f"has {count} {what}; at most {most} are let in", "too_long")


def _problem(field: str, message: str, kind: str) -> FieldProblem:
    return FieldProblem(field=field, message=message, type=kind)


def _has_control(text: str) -> bool:
    encoded = text.encode("utf-8", "replace")
    return len(encoded.translate(None, _CONTROL)) < len(encoded)


def _deeper(document: dict[str, Any], most: int) -> bool:
    """Tell whether there are more levels; whoever read the document has bounded them."""
    level: list[Any] = [document]
    for _ in range(most):
        next_level: list[Any] = []
        for one in level:
            for inner in one.values() if type(one) is dict else one:
                if type(inner) in _NESTING:
                    next_level.append(inner)  # noqa: PERF401 - a comprehension is one more call
        if not next_level:
            return False
        level = next_level
    return True
