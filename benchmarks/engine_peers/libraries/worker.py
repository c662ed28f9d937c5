"""Loads one engine, and answers requests that come as lines of JSON, until there are no more.

    python -m engine_peers.libraries.worker MODULE MODEL

Run by interpreters that need not know anything but that engine.
"""

import dataclasses
import json
import os
import sys
from importlib import import_module

from engine_peers.workload import Request


def main() -> None:
    # What engines print must not get between the lines.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, model = sys.argv[1:]
    answer = import_module(f"engine_peers.libraries.{module}").load(model)
    for line in sys.stdin:
        timings = answer([Request(*fields) for fields in json.loads(line)])
        print(json.dumps([dataclasses.astuple(timing) for timing in timings]), file=answers)
        answers.flush()


if __name__ == "__main__":
    main()
