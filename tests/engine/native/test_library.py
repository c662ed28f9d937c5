"""An engine ends as it should, also where it could not begin."""

import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from ctypes import c_void_p
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stormproof.engine.native import library as library_module
from stormproof.engine.native.compiler import CannotCompile
from stormproof.engine.native.library import NativeEngine, NativeLibrary, native_library
from stormproof.engine.native.structures import SpLayer, SpModel
from stormproof.errors import OutOfMemory

ROOMLESS = """
import resource
from stormproof.engine.native.library import native_library
from stormproof.engine.native.structures import SpModel
from stormproof.errors import OutOfMemory

library = native_library()
room = 1 << 31
resource.setrlimit(resource.RLIMIT_AS, (room, room))
model = SpModel(hidden=32, heads=1, kv_heads=1, head_dim=32, intermediate=32, vocab=32)
sizes = dict(num_blocks=1, block_size=16, max_rows=1, max_draws=1)
try:
    library.engine(model, weights=None, **sizes, threads=100_000)
except OutOfMemory:
    print("refused")
"""


class Weights:
    """Something that can be seen to be kept."""


def empty_engine(
    library: NativeLibrary, weights: object = None, *, layers: int = 0, **sizes: int
) -> NativeEngine:
    """An engine of a model of nothing."""
    model = SpModel(hidden=32, heads=1, kv_heads=1, head_dim=32, intermediate=32, vocab=32)
    model.layers, model.layer = layers, (SpLayer * layers)()
    usual = {"num_blocks": 1, "block_size": 16, "max_rows": 1, "max_draws": 1, "threads": 1}
    return library.engine(model, weights=weights, **(usual | sizes))


def test_threads_that_the_machine_does_not_give_are_an_error_like_others(
    library: NativeLibrary,
) -> None:
    """Those that it gave before end; the process does not."""
    found = subprocess.run([sys.executable, "-c", ROOMLESS], capture_output=True, check=False)
    assert (found.returncode, found.stdout) == (0, b"refused\n")


@pytest.fixture
def nothing_found(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """No library, and each time that one was looked for."""
    looked: list[str] = []

    def look() -> Path:
        looked.append("for it")
        raise CannotCompile("the C++ compiler failed")

    monkeypatch.setattr(library_module, "library_path", look)
    library_module.found_library.cache_clear()
    yield looked
    library_module.found_library.cache_clear()


def test_a_library_that_cannot_be_made_is_not_made_again(nothing_found: list[str]) -> None:
    """By this process: a compiler that fails may take minutes."""
    for _ in range(3):
        with pytest.raises(CannotCompile, match="the C\\+\\+ compiler failed"):
            native_library()
    assert nothing_found == ["for it"]


def test_a_forked_process_does_not_end_the_threads_that_it_has_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has a copy of the engine; to wait for threads that were not copied may take for ever."""
    ended: list[object] = []
    functions: Any = SimpleNamespace(sp_engine_free=ended.append, sp_engine_step=None)
    copied, own = (NativeEngine(functions, c_void_p(), None) for _ in range(2))
    del own
    assert len(ended) == 1
    monkeypatch.setattr(os, "getpid", lambda: -1)
    del copied
    assert len(ended) == 1


@pytest.mark.parametrize("threads", [1, 8])
def test_weights_stay_until_no_thread_can_read_them(library: NativeLibrary, threads: int) -> None:
    weights = Weights()
    kept = weakref.ref(weights)
    engine = empty_engine(library, weights, threads=threads)
    del weights
    assert kept()
    del engine
    assert not kept()


@pytest.mark.parametrize(
    "sizes",
    [
        {"num_blocks": 1 << 32},  # 0 in 32 bits
        {"num_blocks": (1 << 32) + 1},
        {"max_rows": 1 << 33},
        {"num_blocks": 1 << 30, "block_size": 1 << 24, "layers": 1 << 5},  # 0 in 64 bits
    ],
)
def test_sizes_that_numbers_of_the_machine_do_not_hold_do_not_fit(
    library: NativeLibrary, sizes: dict[str, int]
) -> None:
    """They are not taken for what is left of them."""
    with pytest.raises(OutOfMemory):
        empty_engine(library, **sizes)
