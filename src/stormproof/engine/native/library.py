"""The functions of stormproof.h, typed."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_void_p
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from stormproof.engine.native.build import library_path
from stormproof.engine.native.compiler import CannotCompile
from stormproof.engine.native.structures import Packed, SpModel, SpStep, Status
from stormproof.errors import OutOfMemory, TensorError

if TYPE_CHECKING:
    from pathlib import Path

_MOST: Final = 2**31 - 1
PHASES: Final = ("embedding and norms", "layers", "attention", "head", "choosing")

_FUNCTIONS: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "sp_kernels": (c_char_p, ()),
    "sp_use_kernels": (c_int32, (c_char_p,)),
    "sp_packed_format": (c_int32, (c_int32, c_int32)),
    "sp_packed_bytes": (c_int64, (c_int32, c_int64, c_int64)),
    "sp_pack": (c_int32, (c_int32, c_int32, c_void_p, c_int64, c_int64, c_void_p, c_int64)),
    "sp_model_problem": (c_char_p, (POINTER(SpModel), c_int32)),
    "sp_engine_new": (
        c_int32,
        (POINTER(SpModel), c_int32, c_int32, c_int32, c_int32, c_int32, POINTER(c_void_p)),
    ),
    "sp_engine_free": (None, (c_void_p,)),
    "sp_engine_step": (c_int32, (c_void_p, POINTER(SpStep))),
    "sp_engine_times": (None, (c_void_p, POINTER(c_int64))),
}


class NativeLibrary:
    """The C++ step; every call lets other Python threads run meanwhile.

    Args:
        path: The shared library.

    Raises:
        OSError: It cannot be loaded here.
        AttributeError: It is another library.
    """

    def __init__(self, path: Path) -> None:
        self._functions = ctypes.CDLL(str(path))
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self._functions, name)
            function.restype, function.argtypes = result, arguments

    @property
    def kernels(self) -> str:
        """Which kernels are in use: "avx512-bf16", "avx512", "avx2" or "portable"."""
        name: bytes = self._functions.sp_kernels()
        return name.decode()

    def use_kernels(self, name: str) -> bool:
        """Uses other kernels from now on; false where the processor lacks what they need."""
        return bool(self._functions.sp_use_kernels(name.encode()))

    def packed_format(self, stored: int, quantise: int) -> Packed:
        """How a matrix is packed that is stored as ``stored``; see `sp_packed_format`."""
        return Packed(self._functions.sp_packed_format(stored, quantise))

    def packed_bytes(self, packed: Packed, rows: int, cols: int) -> int:
        """Bytes of a packed matrix; a multiple of 64."""
        size: int = self._functions.sp_packed_bytes(packed, rows, cols)
        return size

    def pack(
        self,
        stored: int,
        packed: Packed,
        *,
        source: int,
        rows: int,
        cols: int,
        target: int,
        first_row: int,
    ) -> None:
        """Packs stored rows as rows ``first_row`` and on of a packed matrix; thread-safe.

        Args:
            stored: Its encoding: a number of ggml's types.
            packed: How the matrix is packed.
            source: Address of the rows. [rows, cols]
            rows: How many.
            cols: How wide.
            target: Address of the packed matrix, zero where nothing was packed yet.
            first_row: A multiple of 16.

        Raises:
            TensorError: The sizes are none that the kernels can work with.
        """
        arguments = (stored, packed, source, rows, cols, target, first_row)
        _check(self._functions.sp_pack(*arguments))

    def problem(self, model: SpModel, block_size: int) -> str | None:
        """What keeps the kernels from running a model, in words."""
        words: bytes | None = self._functions.sp_model_problem(byref(model), block_size)
        return None if words is None else words.decode()

    def engine(
        self,
        model: SpModel,
        *,
        weights: object,
        num_blocks: int,
        block_size: int,
        max_rows: int,
        max_draws: int,
        threads: int,
    ) -> NativeEngine:
        """Makes an engine.

        Args:
            model: What it runs.
            weights: Whose memory ``model`` points to; the engine keeps it.
            num_blocks: Blocks in its cache.
            block_size: Tokens in a block.
            max_rows: Most rows of a step.
            max_draws: Most draws of a step.
            threads: How many compute.

        Raises:
            OutOfMemory: Its cache and scratch memory do not fit, or there are not so many threads.
        """
        handle = c_void_p()
        sizes = (num_blocks, block_size, max_rows, max_draws, threads)
        if max(sizes) > _MOST:  # of which ctypes would pass on the lowest bits
            raise OutOfMemory
        _check(self._functions.sp_engine_new(byref(model), *sizes, byref(handle)))
        return NativeEngine(self._functions, handle, weights)


class NativeEngine:
    """A model's cache, scratch memory and threads."""

    def __init__(self, functions: ctypes.CDLL, handle: c_void_p, weights: object) -> None:
        self._functions = functions
        self._handle = handle
        self._weights = weights  # a thread that is late may read them until the engine has ended
        self._step = functions.sp_engine_step
        self._process = os.getpid()

    def step(self, step: SpStep) -> None:
        """One forward pass; everything in ``step`` must be in range.

        Raises:
            OutOfMemory: Scratch memory does not fit.
            TensorError: The step is none that the kernels can work with.
        """
        _check(self._step(self._handle, step))

    def times(self) -> dict[str, int]:
        """Nanoseconds since the last call, by phase."""
        spent = (c_int64 * len(PHASES))()
        self._functions.sp_engine_times(self._handle, spent)
        return dict(zip(PHASES, spent, strict=True))

    def __del__(self) -> None:
        if self._process == os.getpid():  # a fork copies the engine, but not its threads
            self._functions.sp_engine_free(self._handle)


def native_library() -> NativeLibrary:
    """The library, loaded once; compiled first if need be.

    Raises:
        CannotCompile: There is none, and none can be made. It is not tried again.
    """
    found = found_library()
    if isinstance(found, CannotCompile):
        raise CannotCompile(str(found)) from found
    return found


@cache
def found_library() -> NativeLibrary | CannotCompile:
    """What looking for the library came to."""
    try:
        return NativeLibrary(library_path())
    except CannotCompile as error:
        return error
    except (OSError, AttributeError) as error:
        return CannotCompile(f"its library cannot be loaded: {type(error).__name__}")


def _check(status: int) -> None:
    if status == Status.OUT_OF_MEMORY:
        raise OutOfMemory
    if status != Status.OK:
        raise TensorError(reason="the native step refused its arguments")
