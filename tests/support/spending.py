"""A process that spends from a budget which others share, as fast as it can.

``python -m support.spending URL PREFIX CALLS``: makes so many calls at once, of a budget for 100,
writes a line for each that passes, and one behind the last.
"""

import asyncio
import sys
from typing import Final

from stormproof.recovery.redis import RedisStore
from stormproof.reflex import (
    Balances,
    BudgetStage,
    Limits,
    LimitSettings,
    Passed,
    Quote,
    Scope,
    SharedLedger,
)
from support.reflex_calls import call, entered

LIMITS: Final = Limits({Scope.KEY: LimitSettings(money_per_month=100)})
QUOTES: Final = {"m": Quote(0.0, 1_000_000.0)}
DONE: Final = "done"


def spender(store: RedisStore) -> BudgetStage:
    """Return what lets in calls that cost 1 each."""
    return BudgetStage(LIMITS, QUOTES, SharedLedger(store, Balances()))


async def spend(url: str, prefix: str, calls: int) -> None:
    """Make calls that never end."""
    store = RedisStore(url, prefix=prefix, timeout=60.0)
    stage = spender(store)

    async def ask() -> None:
        if isinstance(await entered(stage, call(tokens=1)), Passed):
            print("passed", flush=True)

    await asyncio.gather(*(ask() for _ in range(calls)))
    print(DONE, flush=True)
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(spend(sys.argv[1], sys.argv[2], int(sys.argv[3])))
