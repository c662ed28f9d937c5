"""Sending a workload, and keeping what comes of it even if that is cut short."""

import asyncio
from collections.abc import Callable, Sequence

from stormproof.cli.bench.result import Result
from stormproof.cli.bench.timeline import Target, Timeline
from stormproof.cli.bench.workload import Request, Workload
from stormproof.errors import StormproofError


class Run:
    """One workload on its way.

    Args:
        workload: What is asked.
        report: Told the tokens of each answer that is whole.
    """

    def __init__(self, workload: Workload, report: Callable[[int], None]) -> None:
        self.errors: list[StormproofError] = []
        self._workload = workload
        self._report = report
        self._answers: list[Timeline] = []

    @property
    def result(self) -> Result | None:
        """What it has come to so far; None while nothing is answered."""
        if not self._answers:
            return None
        return Result.of(self._workload, self._answers, len(self.errors))

    async def send(self, target: Target, requests: Sequence[Request]) -> None:
        """Send all requests at once; one that fails does not stop the others."""
        async with asyncio.TaskGroup() as tasks:
            for request in requests:
                tasks.create_task(self._send(target, request))

    async def _send(self, target: Target, request: Request) -> None:
        try:
            answer = await target.answer(request)
        except StormproofError as error:
            self.errors.append(error)
        else:
            self._answers.append(answer)
            self._report(answer.output_tokens)
