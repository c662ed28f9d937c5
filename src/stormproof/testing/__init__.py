"""What tests of recovery need: time that obeys, and failures on cue."""

from stormproof.testing.fake_clock import FakeClock
from stormproof.testing.scripted import Scripted, Takes

__all__ = ["FakeClock", "Scripted", "Takes"]
