"""A spare process that cannot be had is tried for again, but ever less often."""

import errno
from typing import NoReturn

import pytest

from stormproof.engine import EngineConfig
from stormproof.engine.supervised import reserve
from stormproof.engine.supervised.messages import Start
from stormproof.engine.supervised.reserve import Reserve


def no_room(_: Start) -> NoReturn:
    raise OSError(errno.EAGAIN, "no more processes")


def test_attempts_become_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading costs the process that works its time."""
    monkeypatch.setattr(reserve, "WorkerProcess", no_room)
    seconds = 0.0
    spare = Reserve(lambda: seconds)
    waits = []
    for _ in range(7):
        wait = spare.replenish(Start(EngineConfig(model="none"), "none"))
        assert wait is not None
        waits.append(wait)
        seconds += wait
    longest = [1, 4, 16, 64, 256, 600, 600]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert spare.take() is None


def test_nothing_is_tried_before_it_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "WorkerProcess", no_room)
    seconds = 0.0
    spare = Reserve(lambda: seconds)
    start = Start(EngineConfig(model="none"), "none")
    wait = spare.replenish(start)
    assert wait is not None
    seconds = wait / 2
    assert spare.replenish(start) == pytest.approx(wait / 2)
