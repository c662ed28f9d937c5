"""Having the modes of files count, whoever runs the tests."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

_VERSION: Final = 0x2008_0522
_OVERRIDES: Final = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by which root has access to everything."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextmanager
def modes_count() -> Iterator[None]:
    """Have this thread, and those that it starts, keep to modes as everybody but root has to."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root may do anything here")
    libc, header, both = ctypes.CDLL(None), _Header(_VERSION, 0), (_Capabilities * 2)()
    libc.capget(ctypes.byref(header), both)
    usual = both[0].effective
    both[0].effective = usual & ~_OVERRIDES
    assert libc.capset(ctypes.byref(header), both) == 0
    try:
        yield
    finally:
        both[0].effective = usual
        libc.capset(ctypes.byref(header), both)
