"""For how long an answer is good."""

from dataclasses import dataclass
from typing import Final

from stormproof.providers import Completion, Question, TextRequest

_CALLS: Final = frozenset({"tool_calls", "function_call"})


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds for which answers are good, by their kind.

    Attributes:
        chat: Answers to conversations.
        completion: Continuations of texts.
        tool_calls: Answers that call tools: what they ask for may change soon.
        similar: Answers to another question of the same meaning.
        stale: For how much longer one is kept, for when no model answers.
    """

    chat: float = 3600.0
    completion: float = 3600.0
    tool_calls: float = 300.0
    similar: float = 3600.0
    stale: float = 86_400.0

    def of(self, request: Question, answer: Completion) -> float:
        """Return for how long a model's answer is good."""
        for choice in answer.choices:
            if choice.get("finish_reason") in _CALLS:
                return self.tool_calls
        return self.completion if isinstance(request, TextRequest) else self.chat
