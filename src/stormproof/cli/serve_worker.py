"""One of several processes that serve an address: ``python -m stormproof.cli.serve_worker``."""

import ctypes
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from stormproof.cli.failures import failures
from stormproof.cli.serve import Seat, answer
from stormproof.gateway.settings import load_settings
from stormproof.signals import log_context

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Answer on the port that the command line names, with the settings that it gives."""
    number, parent, port = map(int, sys.argv[1:4])
    folder, flags = sys.argv[4:]
    _end_with(parent)
    console = Console(stderr=True)
    with failures(console), log_context(worker=number):
        load = partial(load_settings, json.loads(flags))
        seat = Seat(number, port, Path(folder))
        answer(load(), load, console, seat)


def _end_with(parent: int) -> None:
    """Have the kernel tell this process to drain when its parent dies, where it can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit("whoever started this is gone")


if __name__ == "__main__":
    main()
