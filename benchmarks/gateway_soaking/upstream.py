"""Providers that fail one call in several, and the file that tells a gateway of them."""

import random
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Final

from gateway_soaking.hearing import NOBODY
from gateway_soaking.ledger import Ledger
from gateway_soaking.questions import EMBEDDER, MODEL, Kind, number_of, speaker
from stormproof.testing.provider import (
    Answer,
    Asked,
    Break,
    Broken,
    Hang,
    Page,
    Refusal,
    Reset,
    ScriptedProvider,
    ScriptedTarget,
    SlowHead,
    Step,
)

FAULTS: Final = (
    Reset(),
    Refusal(500),
    Refusal(429, retry_after=1),
    Refusal(503),
    Broken(Break.CUT, 3),
    Broken(Break.END, 7),
    Broken(Break.ERROR, 5),
    Broken(Break.STALL, 4),
    Broken(Break.GARBAGE, 9),
    Page(b"<html>Come back later.</html>", "text/html"),
    Page(b'{"choices":[]}'),
    Hang(),
    SlowHead(5),
)
ONE_IN: Final = 10
"""How many calls there are for each that fails."""

PATIENCE: Final = 1.0
"""Seconds that the gateway waits for a provider."""

DEADLINE: Final = 8
_DELAY: Final = 0.02
_PACE: Final = 0.02
_APIS: Final = {"gpt": "openai", "claude": "anthropic", "other": "openai"}


class Storm:
    """What providers do; it takes a note of every call.

    Args:
        ledger: Where.
        seed: Decides which calls fail.

    Attributes:
        rages: Whether any do.
    """

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.rages = False
        self._ledger = ledger
        self._chance = random.Random(seed)
        self._faults = cycle(FAULTS)

    def __call__(self, asked: Asked) -> Step:
        """Decide what to do with a call."""
        fails = self.rages and self._chance.random() * ONE_IN < 1
        step = next(self._faults) if fails else self._answer(asked)
        self._ledger.called(number_of(asked), asked, step, fails=fails)
        return step

    def _answer(self, asked: Asked) -> Answer:
        slow = Kind.PACED.encode() in asked.body
        return Answer(delay=self._chance.expovariate(1 / _DELAY), pace=_PACE * slow)


def targets(provider: ScriptedProvider, storm: Storm) -> Mapping[str, ScriptedTarget]:
    """Return the providers behind the gateway, which fail together."""
    return {name: provider.target(name, storm, says=speaker) for name in _APIS}


def write_settings(file: Path, listening: Mapping[str, ScriptedTarget]) -> None:
    """Tell a gateway of them."""
    providers = [
        f'[providers.{name}]\npreset = "openai-compatible"\nurl = "{target.url}"\n'
        f'api = "{_APIS[name]}"\n{"completions = true" if _APIS[name] == "openai" else ""}\n'
        for name, target in listening.items()
    ]
    speaking = [_rung(name, f"idle = {PATIENCE}") for name in _APIS]
    embedding = [_rung(name) for name, api in _APIS.items() if api == "openai"]
    models = (
        f'[models.{MODEL}]\ndeadline = {DEADLINE}\norder = "weighted"\n'
        f'rungs = [{", ".join(speaking)}, {{ answer = "{NOBODY}" }}]\n'
        f"[embeddings.{EMBEDDER}]\ndeadline = {DEADLINE}\nrungs = [{', '.join(embedding)}]\n"
    )
    file.write_text("\n".join(providers) + models)


def _rung(name: str, *more: str) -> str:
    fields = [f'provider = "{name}"', 'model = "m"', f"deadline = {PATIENCE}", "concurrency = 500"]
    return f"{{ {', '.join([*fields, *more])} }}"
