"""A wheel brings the native step along, and is whole without it where there is no compiler."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NATIVE = Path("src/stormproof/engine/native")
TINY = 'extern "C" int one() { return 1; }\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What a wheel of Stormproof is built from, with a native step of one line."""
    folder = tmp_path / "project"
    (folder / NATIVE).mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", "hatch_build.py"):
        shutil.copy(ROOT / name, folder)
    for file in (Path("src/stormproof/version.py"), NATIVE / "compiler.py"):
        shutil.copy(ROOT / file, folder / file)
    (folder / NATIVE / "one.cpp").write_text(TINY)
    (folder / NATIVE / "libstormproof-0123456789abcdef.so").write_text("of other sources")
    return folder


def build(project: Path, monkeypatch: pytest.MonkeyPatch, compiler: str) -> tuple[Path, str]:
    """Builds a wheel; returns it, and what was said."""
    monkeypatch.setenv("CXX", compiler)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    built = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    [wheel] = (project / "dist").glob("*.whl")
    return wheel, built.stdout + built.stderr


def libraries(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if name.endswith(".so")]


def test_the_native_step_is_in_a_wheel_for_this_platform(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not one that earlier sources made."""
    wheel, _ = build(project, monkeypatch, "c++")
    assert "-py3-none-any" not in wheel.name
    assert "-py3-none-" in wheel.name
    assert len(libraries(wheel)) == 1
    assert "0123456789abcdef" not in libraries(wheel)[0]


def test_without_a_compiler_the_wheel_is_for_any_platform_and_that_is_said(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, said = build(project, monkeypatch, "/nowhere/c++")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert libraries(wheel) == []
    assert "no native step, because there is no C++ compiler" in said
