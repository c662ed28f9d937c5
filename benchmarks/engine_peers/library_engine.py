"""Engines that are libraries: each is loaded by a worker of its own, which is asked over a pipe."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from engine_peers.process import BENCHMARKS, EngineProcess
from engine_peers.timing import Timing
from engine_peers.workload import Request, single


class LibraryEngine:
    """A library, called in the worker's process; its clock is the worker's.

    Args:
        name: Who it is.
        python: The interpreter that has it.
        module: Which module of this package loads it.
        model: What it loads.
        environment: Variables for it.
    """

    over_http = False
    process: EngineProcess

    def __init__(
        self,
        name: str,
        python: str,
        module: str,
        model: Path,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self._command = [python, "-m", "engine_peers.libraries.worker", module, str(model)]
        self._environment = environment

    def start(self) -> float:
        """Start the worker, and ask it for one token."""
        paths = [str(BENCHMARKS), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**self._environment, "PYTHONPATH": os.pathsep.join(paths)}
        self.process = EngineProcess(self.name, self._command, environment, piped=True)
        self.answer([Request(single()[0].prompt[:16], 1)])
        return time.perf_counter() - self.process.spawned

    def answer(self, requests: Sequence[Request]) -> list[Timing]:
        """Send requests through the pipe, and wait for their times."""
        asked, answered = self.process.pipes
        asked.write(json.dumps([[r.prompt, r.new_tokens] for r in requests]).encode() + b"\n")
        asked.flush()
        line = answered.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended; see {self.process.log}")
        return [Timing(*fields) for fields in json.loads(line)]
