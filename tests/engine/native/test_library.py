"""An engine ends as it should, also where it could not begin."""

import subprocess
import sys
import weakref

import pytest

from stormproof.engine.native.library import NativeEngine, NativeLibrary
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
