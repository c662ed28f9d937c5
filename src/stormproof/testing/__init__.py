"""What tests of recovery need: time that obeys, failures on cue, and an assertion."""

from stormproof.testing.fake_clock import FakeClock
from stormproof.testing.recovers import (
    Recovery,
    aassert_recovers,
    assert_recovers,
    assert_stream_recovers,
)
from stormproof.testing.scripted import Scripted, Takes

__all__ = [
    "FakeClock",
    "Recovery",
    "Scripted",
    "Takes",
    "aassert_recovers",
    "assert_recovers",
    "assert_stream_recovers",
]
