"""Turns the C++ sources beside this file into one shared library.

The build of the package runs this file by itself, so it needs the standard library alone.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES: Final = Path(__file__).parent
BUILDING: Final = ".building-"
"""What the names of folders begin with in which a library is being made."""
X86: Final = platform.machine() in {"x86_64", "AMD64"}

_COMPILERS: Final = ("c++", "g++", "clang++")
_PATIENCE: Final = 900.0
# Neither fast-math nor contraction: a row's result must not depend on the rows beside it.
_FLAGS: Final = (
    "-std=c++20", "-O3", "-fPIC", "-fno-math-errno", "-ffp-contract=off", "-pthread",
    "-fvisibility=hidden", "-Wall", "-Wextra",
)  # fmt: skip
_AVX2: Final = ("-mavx2", "-mfma", "-mf16c")
_AVX512: Final = (
    "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", *_AVX2,
)  # fmt: skip
_ISAS: Final = (
    ((), _AVX2, _AVX512, ("-mavx512bf16", *_AVX512)) if X86 else ((),)
)  # numbered as SP_ISA


class CannotCompile(Exception):
    """There is no library, for the reason that the message says."""


def compile_library(target: Path) -> None:
    """Compiles everything into ``target``, which appears whole or not at all.

    Args:
        target: Where the library is to be; its folder exists.

    Raises:
        CannotCompile: There is no compiler, or it failed.
    """
    compiler = find_compiler()
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=BUILDING) as folder:
            units = list(_units(Path(folder)))
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(lambda unit: _run([*compiler, *_FLAGS, *unit]), units))
            objects = [unit[-1] for unit in units]
            library = Path(folder) / target.name
            _run([*compiler, "-shared", "-pthread", *objects, "-o", str(library)])
            with library.open("rb") as written:
                os.fsync(written.fileno())  # else a power failure may leave half of it
            library.replace(target)
    except OSError as error:
        raise CannotCompile(f"its library cannot be written: {error.strerror}") from error


def find_compiler() -> list[str]:
    """The C++ compiler's command: ``$CXX``, else the first that is there.

    Raises:
        CannotCompile: There is none.
    """
    chosen = shlex.split(os.environ.get("CXX", ""))
    for command in (chosen,) if chosen else ([name] for name in _COMPILERS):
        if shutil.which(command[0]):
            return command
    raise CannotCompile("there is no C++ compiler; install g++ or clang++")


def sources_digest() -> str:
    """What the library depends on, the compiler apart: the sources, the flags, the processor."""
    digest = hashlib.sha256(repr((_FLAGS, _ISAS, platform.system(), platform.machine())).encode())
    for path in sorted(p for p in SOURCES.iterdir() if p.suffix in {".cpp", ".h"}):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def library_name() -> str:
    """The file name of the library that these sources make; others make one of another name."""
    return f"libstormproof-{sources_digest()}.so"


def _units(folder: Path) -> Iterator[list[str]]:
    """What each run of the compiler is told; the kernels are compiled once for each ISA."""
    for source in sorted(SOURCES.glob("*.cpp")):
        kernels = source.stem == "kernels"
        for number, flags in enumerate(_ISAS if kernels else ((),)):
            target = folder / f"{source.stem}-{number}.o"
            isa = (f"-DSP_ISA={number}", *flags) if kernels else ()
            yield [*isa, "-c", source.name, "-o", str(target)]


def _run(command: list[str]) -> None:
    try:
        subprocess.run(  # noqa: S603 - the compiler that the user chose
            command,
            cwd=SOURCES,
            check=True,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
        )
    except subprocess.CalledProcessError as error:
        raise CannotCompile(f"the C++ compiler failed: {_complaint(error.stderr)}") from error
    except subprocess.TimeoutExpired as error:
        raise CannotCompile("the C++ compiler did not finish") from error


def _complaint(output: str) -> str:
    lines = [line for line in output.splitlines() if "error" in line] or output.splitlines()
    return lines[0] if lines else "it did not say why"
