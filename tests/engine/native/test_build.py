"""The C++ step is compiled once for all, and its absence is told in plain words."""

import ctypes
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stormproof.engine.native import build, compiler
from stormproof.engine.native.build import library_path
from stormproof.engine.native.compiler import CannotCompile

ONE = 'extern "C" __attribute__((visibility("default"))) int one() { return ONE; }\n'
KERNELS = "namespace isa { int number() { return SP_ISA; } }\n"


@pytest.fixture(autouse=True)
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of one small function, in place of the real one."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "one.cpp").write_text('#include "one.h"\n' + ONE)
    (folder / "one.h").write_text("#define ONE 1\n")
    monkeypatch.setattr(compiler, "SOURCES", folder)
    monkeypatch.setattr(build, "SOURCES", folder)
    monkeypatch.setenv("STORMPROOF_HOME", str(tmp_path / "home"))
    return folder


def fake_compiler(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_library_is_built_at_first_use() -> None:
    assert ctypes.CDLL(str(library_path())).one() == 1


def test_it_is_built_once(tmp_path: Path) -> None:
    built = library_path().stat()
    assert library_path().stat() == built


def test_many_who_ask_at_once_get_the_same_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    counting = f'echo "$@" >> {runs}; exec c++ "$@"'
    monkeypatch.setenv("CXX", fake_compiler(tmp_path / "counting", counting))
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: library_path(), range(4)))
    assert len(paths) == 1
    assert len(runs.read_text().splitlines()) == 2  # compiled, linked
    assert not list(paths.pop().parent.glob(".building-*"))


def test_changed_sources_make_another_library(sources: Path) -> None:
    before = library_path()
    (sources / "one.h").write_text("#define ONE 2\n")
    assert library_path() != before
    assert ctypes.CDLL(str(library_path())).one() == 2


def test_what_a_killed_process_left_is_taken_away(sources: Path) -> None:
    path = library_path()
    left = path.parent / ".building-by-one-that-died"
    left.mkdir()
    (left / "one-0.o").write_text("")
    path.unlink()
    assert library_path() == path
    assert not left.exists()


def test_the_library_that_the_package_brings_needs_no_compiler(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler.compile_library(sources / compiler.library_name())
    monkeypatch.setenv("CXX", "/nowhere/c++")
    assert library_path().parent == sources


@pytest.mark.parametrize("where", ["package", "cache"])
def test_a_library_that_does_not_load_here_is_compiled_anew(sources: Path, where: str) -> None:
    """It was made for another C library, or is damaged."""
    broken = library_path() if where == "cache" else sources / compiler.library_name()
    broken.unlink(missing_ok=True)
    broken.write_bytes(b"\x7fELF of somebody else")
    path = library_path()
    assert path.parent != sources
    assert ctypes.CDLL(str(path)).one() == 1


def test_what_was_compiled_before_needs_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    before = library_path()
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert library_path() == before


def test_libraries_that_nobody_used_for_longest_make_room(sources: Path) -> None:
    """Each change of the sources leaves one, and another installation may be using its own."""

    def used(version: int) -> Path:
        (sources / "one.h").write_text(f"#define ONE {version}\n")
        return library_path()

    for version in range(5):
        os.utime(used(version), (version, version))
    again, newest = used(1), used(5)
    kept = {again, newest, used(3), used(4)}
    assert set(newest.parent.glob("*.so")) == kept


def test_kernels_are_compiled_once_for_each_instruction_set(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sources / "kernels.cpp").write_text("#include <cstdio>\n")
    runs = tmp_path / "runs"
    noting = f'echo "$@" >> {runs}; exec c++ "$@"'
    monkeypatch.setenv("CXX", fake_compiler(tmp_path / "noting", noting))
    library_path()
    commands = [line.split() for line in runs.read_text().splitlines() if "kernels.cpp" in line]
    isas = {word for command in commands for word in command if word.startswith("-DSP_ISA=")}
    assert len(isas) == len(commands) == (4 if compiler.X86 else 1)
    assert not {"-ffast-math", "-march=native"} & set(runs.read_text().split())


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'one.cpp:1: error: what is this' >&2; exit 1", "one.cpp:1: error: what is this"),
        ("exit 1", "it did not say why"),
    ],
)
def test_a_compiler_that_fails_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    monkeypatch.setenv("CXX", fake_compiler(tmp_path / "failing", script))
    with pytest.raises(CannotCompile, match=reason):
        library_path()


def test_where_there_is_no_compiler_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CannotCompile, match="no C\\+\\+ compiler; install g\\+\\+ or clang\\+\\+"):
        library_path()


def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STORMPROOF_HOME", str(tmp_path / "file"))
    with pytest.raises(CannotCompile, match="cannot be written: Not a directory"):
        library_path()
