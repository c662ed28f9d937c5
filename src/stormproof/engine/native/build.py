"""Where the compiled library is: in the package, or else in the user's cache.

An installed package brings it along. Where it does not, because there was no compiler then or the
sources have changed since, or where it was made for another system, it is built at first use.
``python -m stormproof.engine.native.build`` prints where it is.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from stormproof.engine.native.compiler import (
    BUILDING,
    SOURCES,
    CannotCompile,
    compile_library,
    library_name,
)

if TYPE_CHECKING:
    from pathlib import Path

_KEPT: Final = 4


def library_path() -> Path:
    """The library of these very sources, which loads here; compiled now if it is nowhere yet.

    Any number of processes may ask at once; one of them compiles.

    Raises:
        CannotCompile: It is nowhere, and cannot be made.
    """
    packaged = SOURCES / library_name()
    return packaged if _loads(packaged) else _cached()


def _cached() -> Path:
    # Packages that bring the library do not pay for this floor's imports.
    from stormproof.weights.home import home  # noqa: PLC0415

    target = home() / "native" / library_name()
    if _loads(target):
        with suppress(OSError):
            os.utime(target)  # those that are used stay
        return target
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(target.parent / ".lock"):
            if not _loads(target):
                _remove_leftovers(target.parent)
                compile_library(target)
    except OSError as error:
        raise CannotCompile(f"its library cannot be written: {error.strerror}") from error
    return target


def _loads(library: Path) -> bool:
    """Whether it is there, whole, and made for this machine."""
    try:
        ctypes.CDLL(str(library))
    except OSError:
        return False
    return True


def _remove_leftovers(folder: Path) -> None:
    """Takes away what killed compilations left, and libraries that were not used for longest."""
    for left in folder.glob(f"{BUILDING}*"):
        shutil.rmtree(left, ignore_errors=True)
    by_use = sorted(folder.glob("*.so"), key=lambda path: path.stat().st_mtime)
    for old in by_use[: 1 - _KEPT]:
        old.unlink()


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{library_path()}\n")
    except CannotCompile as error:
        sys.exit(f"no native step, because {error}")
