"""Personal data and secrets do not reach a model, or its caller from one."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from secrets import token_bytes
from typing import Final

from stormproof.errors import InvalidInput, PiiDetected
from stormproof.providers import EmbeddingRequest
from stormproof.recovery.events import bus, publish
from stormproof.reflex.passages import DEFINITION, Passage, told, with_texts
from stormproof.reflex.pii.companion import PiiCompanion, Private
from stormproof.reflex.pii.events import PiiFound
from stormproof.reflex.pii.finder import Finder, QuickFinder
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.placeholders import Placeholders
from stormproof.reflex.pii.policy import PiiAction, PiiPolicy
from stormproof.reflex.pii.redacting import redacted, said
from stormproof.reflex.pii.screening import Judgement
from stormproof.reflex.pii.search import LONG, Search
from stormproof.reflex.stage import (
    PASSED,
    Call,
    Changed,
    Companion,
    Outcome,
    Passed,
    Rejected,
    Request,
)

_MANY: Final = 1000
"""Texts, in each of which each value is looked for."""

_SHORT: Final = 512
"""Characters of all texts together: so few often have no sign of anything, which is seen sooner."""

_MOST_TENANTS: Final = 1024
"""Whose keys are remembered."""

_MOST_NAMED: Final = 10
"""Places that an error tells."""


class PiiStage:
    """Looks for personal data and secrets in what is asked, and does something about it.

    Args:
        detector: Finds them, by their form.
        policy: What is done about them.
        names: Finds names of people and places too; None if they are let pass.
        answers: Whether it also looks through what a model says.
        most_characters: How long the texts of a request may be altogether; one with more has not
            been looked at, and the line says what becomes of it.
        key: A secret of which placeholders are made: with the same, all processes give a value
            the same one. By default each process has its own.
    """

    name: Final = "pii"

    def __init__(
        self,
        detector: QuickFinder,
        *,
        policy: PiiPolicy | None = None,
        names: Finder | None = None,
        answers: bool = False,
        most_characters: int = 1_000_000,
        key: bytes | None = None,
    ) -> None:
        self._detector = detector
        self._names = names
        self._search = Search(detector, names)
        self._policy = policy or PiiPolicy()
        self._answers = answers
        self._most_characters = most_characters
        self._short = 0 if names else min(_SHORT, most_characters)
        self._key = blake2b(key or token_bytes(32)).digest()
        self._tenant_key = lru_cache(_MOST_TENANTS)(self._key_of)

    def enter(self, call: Call) -> Outcome | Awaitable[Outcome]:
        """Look through the texts of a request.

        Raises:
            InvalidInput: They are too long to be looked through.
        """
        text = call.text
        if len(text) <= self._short and not self._may_be_in(text):
            return Passed(self._companion(call.request)) if self._answers else PASSED
        return self._looked_through(call)

    def _may_be_in(self, text: str) -> bool:
        """Return whether something may be in texts; what JSON escapes cannot be told so soon."""
        return "\\" in text or self._detector.may_be_in(text)

    async def _looked_through(self, call: Call) -> Outcome:
        texts = call.passages
        characters = sum(len(one.text) for one in texts)
        if characters > self._most_characters:
            raise InvalidInput(
                reason=f"its texts have more than {self._most_characters} characters"
            )
        found = await self._found(texts)
        if not any(found):
            return Passed(self._companion(call.request) if self._answers else None)
        if characters > LONG or len(texts) > _MANY:
            return await asyncio.to_thread(self._about, call, texts, found)
        return self._about(call, texts, found)

    async def _found(self, texts: Sequence[Passage]) -> Sequence[Sequence[Finding]]:
        """Return what is in each; definitions of tools come again, all as they were."""
        defined = [one.text for one in texts if one.role == DEFINITION]
        if not defined:
            return await self._search.through([said(one) for one in texts])
        others = [said(one) for one in texts if one.role != DEFINITION]
        in_definitions = iter(await self._search.together(defined))
        in_others = iter(await self._search.through(others))
        return [next(in_definitions if one.role == DEFINITION else in_others) for one in texts]

    def _about(
        self, call: Call, texts: Sequence[Passage], found: Sequence[Sequence[Finding]]
    ) -> Outcome:
        """Do something about what was found."""
        kinds = _counted(found)
        if bus.listeners:
            model = call.request.model
            publish(PiiFound(pipeline=model, strategy=self.name, kinds=kinds, answer=False))
        actions = {self._policy.of(kind) for kind in kinds}
        if PiiAction.BLOCK in actions:
            return Rejected(_detected(texts, self._those(found, PiiAction.BLOCK)))
        if PiiAction.REDACT not in actions:
            return Passed(self._companion(call.request, private=True))
        to_redact = self._those(found, PiiAction.REDACT) if len(actions) > 1 else found
        changed, placeholders = redacted(texts, to_redact, self._tenant_key(call.caller.tenant))
        request = with_texts(call.request, changed)
        return Changed(request, self._companion(request, placeholders, private=True))

    def _key_of(self, tenant: str) -> bytes:
        return blake2b(tenant.encode(), key=self._key).digest()

    def _those(
        self, found: Sequence[Sequence[Finding]], action: PiiAction
    ) -> Sequence[Sequence[Finding]]:
        """Return the findings about which something is to be done."""
        return [[one for one in some if self._policy.of(one.kind) is action] for some in found]

    def _companion(
        self, request: Request, placeholders: Placeholders | None = None, *, private: bool = False
    ) -> Companion:
        if isinstance(request, EmbeddingRequest) or not (placeholders or self._answers):
            return Private() if private else Companion()
        return PiiCompanion(
            request.model,
            wants_json=request.wants_json,
            placeholders=placeholders,
            judgement=self._judgement() if self._answers else None,
            private=private,
        )

    def _judgement(self) -> Judgement:
        return Judgement(self._detector, self._policy, self._names)


def _counted(found: Sequence[Sequence[Finding]]) -> Mapping[Kind, int]:
    """Return what was found altogether: how much of each kind."""
    kinds: dict[Kind, int] = {}
    for findings in found:
        for one in findings:
            kinds[one.kind] = kinds.get(one.kind, 0) + 1
    return kinds


def _detected(texts: Sequence[Passage], found: Sequence[Sequence[Finding]]) -> PiiDetected:
    """Return an error that tells kinds and places."""
    places = {
        f"{one.kind} in {told(passage.place)}": told(passage.place)
        for passage, findings in zip(texts, found, strict=True)
        for one in findings
    }
    first = next(iter(places.values()))
    return PiiDetected(pattern=", ".join([*places][:_MOST_NAMED]), param=first)
