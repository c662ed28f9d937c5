"""Weights are packed once; a process that comes later maps what another one packed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from stormproof.engine.checkpoints.checkpoint import Checkpoint
from stormproof.engine.native.arena import FIRST, SEAL_BYTES, Arena
from stormproof.engine.native.library import NativeLibrary
from stormproof.engine.native.packed_weights import PackedWeights
from stormproof.engine.native.shared_memory import shared_memory
from stormproof.engine.settings import DType

SEAL, OTHER = bytes(range(SEAL_BYTES)), bytes(SEAL_BYTES - 1) + b"x"


@pytest.fixture
def memory() -> Iterator[int]:
    """Memory for processes to share."""
    descriptor = shared_memory("weights")
    if descriptor is None:
        pytest.skip("this system has no such memory")
    yield descriptor
    os.close(descriptor)


def packed(
    checkpoint: Checkpoint, library: NativeLibrary, memory: int | None, dtype: DType = "auto"
) -> list[float]:
    """Packs, or finds what is packed; returns what was told of the progress."""
    told: list[float] = []
    PackedWeights(checkpoint, library, dtype=dtype, threads=1, memory=memory, progress=told.append)
    return told


def test_the_second_process_finds_what_the_first_packed(
    checkpoint: Checkpoint, library: NativeLibrary, memory: int
) -> None:
    first = packed(checkpoint, library, memory)
    assert len(first) > 100
    assert first == sorted(first)
    content = os.pread(memory, 1 << 20, 0)
    assert packed(checkpoint, library, memory) == [1.0]
    assert os.pread(memory, 1 << 20, 0) == content


def test_weights_packed_in_another_way_are_left_to_those_who_use_them(
    checkpoint: Checkpoint, library: NativeLibrary, memory: int
) -> None:
    packed(checkpoint, library, memory)
    content = os.pread(memory, 1 << 20, 0)
    assert len(packed(checkpoint, library, memory, "bfloat16")) > 100
    assert os.pread(memory, 1 << 20, 0) == content


def test_what_a_dying_process_left_is_packed_anew(
    checkpoint: Checkpoint, library: NativeLibrary, memory: int
) -> None:
    packed(checkpoint, library, memory)
    whole = os.pread(memory, 1 << 20, 0)
    os.pwrite(memory, bytes(SEAL_BYTES) + b"half", 0)  # as it is before the seal is set
    assert len(packed(checkpoint, library, memory)) > 100
    assert os.pread(memory, 1 << 20, 0) == whole


def test_memory_is_zero_until_it_is_sealed(memory: int) -> None:
    for descriptor in (None, memory):
        assert not Arena(FIRST, SEAL, descriptor).sealed
    os.pwrite(memory, bytes(SEAL_BYTES) + b"left by one who died", 0)
    assert not Arena(2 * FIRST, SEAL, memory).sealed
    assert os.pread(memory, 2 * FIRST, 0) == bytes(2 * FIRST)


def test_sealed_memory_is_found_by_its_seal(memory: int) -> None:
    arena = Arena(FIRST, SEAL, memory)
    arena.close()
    assert arena.sealed
    assert Arena(FIRST, SEAL, memory).sealed
    assert not Arena(FIRST, OTHER, memory).sealed


WRITE = """
import ctypes, faulthandler
from stormproof.engine.native.arena import Arena
arena = Arena(4096, bytes(32), None)
ctypes.memset(arena.address, 1, 4096)
arena.close()
ctypes.memset(arena.address, 1, 4096)
"""


def test_a_stray_write_cannot_damage_sealed_weights() -> None:
    """It ends the process that strays instead, and another one goes on with whole weights."""
    ended = subprocess.run([sys.executable, "-c", WRITE], check=False)
    assert ended.returncode in (-signal.SIGSEGV, -signal.SIGBUS)
