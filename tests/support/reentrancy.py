"""Work that comes in the middle of other work of the same thread, as a finalizer's does."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple

_MOST = 1000


class Scenario(NamedTuple):
    """What to run, what comes in between, and what has to hold afterwards."""

    outer: Callable[[], object]
    between: Callable[[], object]
    check: Callable[[], object]


def at_every_point(prepare: Callable[[], Scenario]) -> None:
    """Run a scenario, prepared anew, for each point at which a finalizer could come in between.

    From 3.12 on Python looks for garbage wherever a profiler is told of a call or a return.
    """
    for point in range(1, _MOST):
        outer, between, check = prepare()
        if not _interrupted(outer, point, between):
            assert point > 1
            return
        check()
    raise AssertionError(f"it did not end after {_MOST} calls")


def _interrupted(outer: Callable[[], object], point: int, between: Callable[[], object]) -> bool:
    """Run ``between`` at the so many-th call or return in ``outer``; return whether it has one."""
    seen = 0

    def profile(_frame: FrameType, _event: str, _arg: object) -> None:
        nonlocal seen
        seen += 1
        if seen == point:
            sys.setprofile(None)
            between()

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        outer()
    finally:
        sys.setprofile(before)
    return seen >= point
