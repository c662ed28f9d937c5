"""An engine of this program, measured without a server between."""

import time
from contextlib import aclosing

from stormproof.cli.bench.timeline import Timeline
from stormproof.cli.bench.workload import Request
from stormproof.engine import AsyncLLM, SamplingParams


class EngineTarget:
    """Asks an engine.

    Args:
        llm: The engine.
    """

    def __init__(self, llm: AsyncLLM) -> None:
        self._llm = llm

    async def answer(self, request: Request) -> Timeline:
        """Ask, and note when tokens come.

        Raises:
            StormproofError: There was no answer.
        """
        params = SamplingParams(temperature=0, max_tokens=request.max_tokens, ignore_eos=True)
        arrivals: list[float] = []
        tokens, started = 0, time.perf_counter()
        async with aclosing(self._llm.stream(request.prompt, params)) as pieces:
            async for piece in pieces:
                arrivals.append(time.perf_counter())
                tokens = piece.completion_tokens
        return Timeline(started, arrivals, len(request.prompt), tokens)
