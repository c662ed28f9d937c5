"""The situations in which recovery goes wrong, and how each library comes out of them.

    python benchmarks/traps.py

Prints a table in Markdown: what happened, with a cross where it should not have.
"""

import asyncio
import logging
import sys
import warnings
from importlib.metadata import version
from typing import Final

from recovery_peers import installed
from recovery_peers.peer import Peer
from recovery_peers.traps import TRAPS, Outcome, Trap, spring

DISTRIBUTIONS: Final = {"langchain": "langchain-core"}


async def outcomes(trap: Trap, needs: str, peers: list[Peer]) -> list[Outcome | None]:
    return [await spring(trap, needs, peer) for peer in peers]


def cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return outcome.text if outcome.good else f"✗ {outcome.text}"


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    modules, missing = installed()
    peers: list[Peer] = [module.PEER for module in modules if hasattr(module, "PEER")]
    names = [peer.name for peer in peers]
    versions = (f"{name} {version(DISTRIBUTIONS.get(name, name))}" for name in names)
    print(", ".join(versions), end="\n\n")
    print(f"| | {' | '.join(names)} |")
    print(f"|---{'|---' * len(peers)}|")
    fell = dict.fromkeys(names, 0)
    for trap, needs in TRAPS:
        print(f"… {trap.__name__}", file=sys.stderr)
        row = asyncio.run(outcomes(trap, needs, peers))
        for name, outcome in zip(names, row, strict=True):
            fell[name] += outcome is not None and not outcome.good
        what = (trap.__doc__ or "").strip().rstrip(".")
        print(f"| {what} | {' | '.join(map(cell, row))} |")
    print(f"| **traps fallen into** | {' | '.join(map(str, fell.values()))} |")
    print(f"\nnot installed: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
