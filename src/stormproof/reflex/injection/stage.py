"""Looks for prompt injection in a request, before a model obeys it."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import islice
from operator import attrgetter
from typing import Final, NamedTuple

from stormproof.errors import InvalidInput
from stormproof.recovery import publish
from stormproof.reflex.injection.events import InjectionFound
from stormproof.reflex.injection.finding import Injection, InjectionSeverity
from stormproof.reflex.injection.guard import InjectionGuard
from stormproof.reflex.passages import Passage, passages, told
from stormproof.reflex.stage import Call, Companion, Outcome, Passed, Rejected

_TOOLS: Final = frozenset({"tool", "function"})
_NAME: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)

_MOST_TOLD: Final = 8
"""Findings that a header tells of."""

_TOO_LONG: Final = "it has more than {most} characters, as far as prompt injection is looked for"


class OnInjection(StrEnum):
    """What becomes of a request in which an attack was found."""

    BLOCK = "block"
    REPORT = "report"


class _Hostile(NamedTuple):
    """The most severe attempt in a passage."""

    passage: Passage
    injection: Injection


class InjectionStage:
    """Rejects or reports requests that hold an attack on the model; the newest texts come first.

    Args:
        action: What becomes of a request in which one was found.
        threshold: From which severity on something counts as found.
        tool_threshold: The same for results of tools.
        roles: Whose texts are looked at. The instructions of who runs the model are none of them by
            themselves, nor what the model has said.
        characters: How far a request is looked at; one with more of such text is rejected, or
            reported as far as it goes.
        guard: What finds attacks.
    """

    name: Final = "injection"

    def __init__(
        self,
        *,
        action: OnInjection = OnInjection.BLOCK,
        threshold: InjectionSeverity = InjectionSeverity.HIGH,
        tool_threshold: InjectionSeverity = InjectionSeverity.MEDIUM,
        roles: Collection[str] = frozenset({"user", *_TOOLS}),
        characters: int = 1_000_000,
        guard: InjectionGuard | None = None,
    ) -> None:
        self._action = action
        self._threshold = threshold
        self._tool_threshold = tool_threshold
        self._roles = frozenset(roles)
        self._characters = characters
        self._guard = guard or InjectionGuard()

    async def enter(self, call: Call) -> Outcome:
        """Look at what people and tools have said."""
        looked = [one for one in reversed(passages(call.request)) if one.role in self._roles]
        hostile = list(self._hostile(looked))
        for one in hostile:
            publish(_event(call.request.model, one))
        if self._action is OnInjection.REPORT:
            return Passed(_Report(hostile)) if hostile else Passed()
        if hostile:
            worst = max(hostile, key=lambda one: one.injection.severity)
            return Rejected(InvalidInput(reason=f"prompt injection: {_description(worst)}"))
        if sum(len(one.text) for one in looked) > self._characters:
            return Rejected(InvalidInput(reason=_TOO_LONG.format(most=self._characters)))
        return Passed()

    def _hostile(self, looked: Iterable[Passage]) -> Iterator[_Hostile]:
        """Yield passages that hold an attack, as far as they are looked at."""
        left = self._characters
        for passage in looked:
            from_tool = passage.role in _TOOLS
            found = self._guard.find(passage.text[:left], from_tool=from_tool)
            left -= min(left, len(passage.text))
            if found:
                worst = max(found, key=attrgetter("severity"))
                if worst.severity >= (self._tool_threshold if from_tool else self._threshold):
                    yield _Hostile(passage, worst)


class _Report(Companion):
    """Says with the answer what was found in the request."""

    def __init__(self, hostile: Iterable[_Hostile]) -> None:
        self._said = ", ".join(map(_description, islice(hostile, _MOST_TOLD)))

    def headers(self) -> Mapping[str, str]:
        """Return what was found."""
        return {"x-stormproof-injection": self._said}


def _description(hostile: _Hostile) -> str:
    """Return what was found, and where: ``instruction override (high) in messages.2.content``."""
    passage, (attack, severity, *_) = hostile
    what = f"{attack.replace('_', ' ')} ({severity.name.lower()}) in {told(passage.place)}"
    return f"{what}, from the tool {tool}" if (tool := _tool(passage)) else what


def _tool(passage: Passage) -> str | None:
    """Return the tool's name, if it is a name: what is told holds no sentences."""
    return passage.tool if passage.tool and _NAME.fullmatch(passage.tool) else None


def _event(model: str, hostile: _Hostile) -> InjectionFound:
    passage, (attack, severity, start, end, disguise) = hostile
    return InjectionFound(
        pipeline=model,
        strategy=InjectionStage.name,
        attack=attack,
        degree=severity,
        place=told(passage.place),
        role=passage.role,
        tool=_tool(passage),
        start=start,
        end=end,
        disguise=disguise,
    )
