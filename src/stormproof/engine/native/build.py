"""Where the compiled library is: in the package, or else in the user's cache.

An installed package brings it along. Where it does not, because there was no compiler then or the
sources have changed since, it is built at first use. ``python -m stormproof.engine.native.build``
prints where it is.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from filelock import FileLock

from stormproof.engine.native.compiler import (
    BUILDING,
    SOURCES,
    CannotCompile,
    compile_library,
    find_compiler,
    library_name,
)


def library_path() -> Path:
    """The library of these very sources, compiled now if it is nowhere yet.

    Any number of processes may ask at once; one of them compiles.

    Raises:
        CannotCompile: It is nowhere, and cannot be made.
    """
    packaged = SOURCES / library_name()
    return packaged if packaged.is_file() else _cached()


def _cached() -> Path:
    # Packages that bring the library do not pay for this floor's imports.
    from stormproof.weights.home import home  # noqa: PLC0415

    folder = home() / "native" / _compiler_digest()
    target = folder / library_name()
    if target.is_file():
        return target
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            for left in folder.glob(f"{BUILDING}*"):  # by one that was killed
                shutil.rmtree(left, ignore_errors=True)
            if not target.is_file():
                compile_library(target)
    except OSError as error:
        raise CannotCompile(f"its library cannot be written: {error.strerror}") from error
    return target


def _compiler_digest() -> str:
    """Tells compilers apart, and one from what it was before an upgrade."""
    command = find_compiler()
    program = Path(shutil.which(command[0]) or command[0]).resolve()
    state = program.stat()
    identity = repr((command, str(program), state.st_size, state.st_mtime_ns))
    return hashlib.sha256(identity.encode()).hexdigest()[:8]


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{library_path()}\n")
    except CannotCompile as error:
        sys.exit(f"no native step, because {error}")
