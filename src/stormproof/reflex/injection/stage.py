"""Looks for prompt injection in a request, before a model obeys it."""

import asyncio
import re
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import accumulate, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from stormproof.errors import InvalidInput
from stormproof.recovery import publish
from stormproof.reflex.injection.events import InjectionFound
from stormproof.reflex.injection.finding import Injection, InjectionSeverity
from stormproof.reflex.passages import DEFINITION, Passage, told
from stormproof.reflex.seen import Seen
from stormproof.reflex.stage import PASSED, Call, Companion, Outcome, Passed, Rejected

if TYPE_CHECKING:
    from stormproof.reflex.injection.guard import InjectionGuard  # an extra

_MOST_SEEN: Final = 256
"""Sets of definitions that are remembered."""

_TOOLS: Final = frozenset({"tool", "function", DEFINITION})
_NAME: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)

_MOST_TOLD: Final = 8
"""Findings that a header tells of."""

_SHORT: Final = 2048
"""Characters of all texts together: so few are looked at sooner than they are recognised."""

_LONG: Final = 16_384
"""Characters that are looked at on a thread, and keep no other request waiting."""


class InjectionAction(StrEnum):
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
        guard: Finds attacks.
        action: What becomes of a request in which one was found.
        threshold: From which severity on something counts as found.
        tool_threshold: The same for results and definitions of tools.
        definitions: What becomes of a request in which one was found in the definition of a tool:
            whoever wrote that instructs the model, often in the words of an attack.
        trusted: Roles whose texts are not looked at: who runs the model instructs it, and what the
            model has said is its own.
        most_characters: How far a request is looked at, from its newest text on; of one with more
            text the line says what becomes of it, unless something was found in what was seen.
    """

    name: Final = "injection"

    def __init__(
        self,
        guard: "InjectionGuard",
        *,
        action: InjectionAction = InjectionAction.BLOCK,
        threshold: InjectionSeverity = InjectionSeverity.HIGH,
        tool_threshold: InjectionSeverity = InjectionSeverity.MEDIUM,
        definitions: InjectionAction = InjectionAction.REPORT,
        trusted: Collection[str] = frozenset({"system", "developer", "assistant"}),
        most_characters: int = 1_000_000,
    ) -> None:
        self._action = action
        self._threshold = threshold
        self._tool_threshold = tool_threshold
        self._definitions = definitions
        self._trusted = frozenset(trusted)
        self._most_characters = most_characters
        self._short = min(_SHORT, most_characters)
        self._guard = guard
        self._seen: Final = Seen[Sequence[Injection | None]](_MOST_SEEN)

    def enter(self, call: Call) -> Outcome | Awaitable[Outcome]:
        """Look at what people and tools have said.

        Raises:
            InvalidInput: It is too long to be looked at, and nothing was found in its newest part.
        """
        if len(call.text) <= self._short:
            texts = [one.text for one in call.passages if one.role not in self._trusted]
            if not self._guard.may_be_in(texts):
                return PASSED
        return self._looked_at(call)

    async def _looked_at(self, call: Call) -> Outcome:
        newest_first = reversed(call.passages)
        looked = [one for one in newest_first if one.role not in self._trusted]
        characters = sum(len(one.text) for one in looked)
        if characters > _LONG:
            hostile = await asyncio.to_thread(self._hostile, looked)
        else:
            hostile = self._hostile(looked)
        for one in hostile:
            publish(_event(call.request.model, one))
        if blocked := [one for one in hostile if self._blocks(one.passage)]:
            worst = max(blocked, key=lambda one: one.injection.severity)
            return Rejected(InvalidInput(reason=f"prompt injection: {_description(worst)}"))
        if characters > self._most_characters:
            raise InvalidInput(reason=f"it has more than {self._most_characters} characters")
        return Passed(_Report(hostile) if hostile else None)

    def _blocks(self, passage: Passage) -> bool:
        action = self._definitions if passage.role == DEFINITION else self._action
        return action is InjectionAction.BLOCK

    def _hostile(self, looked: Sequence[Passage]) -> Sequence[_Hostile]:
        """Return the passages that hold an attack, as far as they are looked at."""
        said = [one for one in looked if one.role != DEFINITION]
        defined = [one for one in looked if one.role == DEFINITION]
        found = [*self._worst(said), *self._worst_defined(defined)]
        return [
            _Hostile(passage, worst)
            for passage, worst in zip([*said, *defined], found, strict=True)
            if worst and worst.severity >= self._threshold_of(passage)
        ]

    def _threshold_of(self, passage: Passage) -> InjectionSeverity:
        return self._tool_threshold if passage.role in _TOOLS else self._threshold

    def _worst_defined(self, defined: Sequence[Passage]) -> Sequence[Injection | None]:
        """Return the same for definitions, which come again with every request."""
        if not defined:
            return ()
        mark = self._seen.mark_all([one.text for one in defined])
        found = self._seen.recall(mark)
        if found is None:
            found = self._worst(defined)
            self._seen.keep(mark, found)
        return found

    def _worst(self, looked: Sequence[Passage]) -> Sequence[Injection | None]:
        """Return the most severe attempt in each passage, as far as they are looked at."""
        texts = _bounded([one.text for one in looked], self._most_characters)
        if not self._guard.may_be_in(texts):
            return [None] * len(texts)
        found = (
            self._guard.find(text, from_tool=passage.role in _TOOLS)
            for passage, text in zip(looked, texts, strict=True)
        )
        return [max(those, key=attrgetter("severity"), default=None) for those in found]


def _bounded(texts: Sequence[str], most: int) -> Sequence[str]:
    """Return texts as far as they have no more characters altogether."""
    begun = accumulate(map(len, texts), initial=0)
    return [text[: max(0, most - before)] for text, before in zip(texts, begun, strict=False)]


class _Report(Companion):
    """Says with the answer what was found in the request."""

    def __init__(self, hostile: Iterable[_Hostile]) -> None:
        self._said = ", ".join(map(_description, islice(hostile, _MOST_TOLD)))

    def headers(self) -> Mapping[bytes, bytes]:
        """Return what was found."""
        return {b"x-stormproof-injection": self._said.encode()}


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
