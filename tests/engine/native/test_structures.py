"""The structures for ctypes are those of stormproof.h, byte for byte."""

import ctypes
import subprocess
from collections.abc import Iterable
from enum import IntEnum

import pytest

from stormproof.engine.native import structures
from stormproof.engine.native.compiler import SOURCES, CannotCompile, find_compiler
from stormproof.engine.native.packer import PACKABLE
from stormproof.engine.native.structures import Activation, Packed, Status

STRUCTURES = [
    kind
    for kind in vars(structures).values()
    if isinstance(kind, type) and issubclass(kind, ctypes.Structure)
]
ENUMS: dict[str, Iterable[IntEnum]] = {
    "STORED": PACKABLE,
    "PACKED": Packed,
    "": Status,
    "ACT": Activation,
}


@pytest.fixture(scope="module")
def said_by_the_compiler(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Sizes, offsets and numbers, as a program that includes the header prints them."""
    try:
        compiler = find_compiler()
    except CannotCompile as error:
        pytest.skip(str(error))
    names = [
        *(f"sizeof({kind.__name__})" for kind in STRUCTURES),
        *(
            f"offsetof({kind.__name__},{field[0]})"
            for kind in STRUCTURES
            for field in kind._fields_
        ),
        *(constant(prefix, member) for prefix, kind in ENUMS.items() for member in kind),
    ]
    prints = "\n".join(f'std::printf("%s %d\\n", "{name}", (int)({name}));' for name in names)
    folder = tmp_path_factory.mktemp("header")
    includes = '#include <cstddef>\n#include <cstdio>\n#include "stormproof.h"\n'
    (folder / "print.cpp").write_text(f"{includes}int main() {{ {prints} }}\n")
    program = str(folder / "print")
    subprocess.run(
        [*compiler, "-std=c++20", f"-I{SOURCES}", str(folder / "print.cpp"), "-o", program],
        check=True,
    )
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return {name: int(number) for name, number in map(str.split, lines.splitlines())}


def constant(prefix: str, member: IntEnum) -> str:
    name = member.name if prefix == "ACT" else "_".join(filter(None, (prefix, member.name)))
    return f"SP_{name}"


@pytest.mark.parametrize("kind", STRUCTURES, ids=lambda kind: kind.__name__)
def test_a_structure_is_laid_out_as_in_the_header(
    said_by_the_compiler: dict[str, int], kind: type[ctypes.Structure]
) -> None:
    name = kind.__name__
    assert ctypes.sizeof(kind) == said_by_the_compiler[f"sizeof({name})"]
    for field in kind._fields_:
        offset = said_by_the_compiler[f"offsetof({name},{field[0]})"]
        assert getattr(kind, field[0]).offset == offset, field[0]


@pytest.mark.parametrize("prefix", ENUMS)
def test_constants_have_the_header_s_numbers(
    said_by_the_compiler: dict[str, int], prefix: str
) -> None:
    for member in ENUMS[prefix]:
        assert said_by_the_compiler[constant(prefix, member)] == member


def test_no_field_of_the_header_is_missing() -> None:
    """Offsets and sizes alone would not see two fields that changed places with one unnamed."""
    header = (SOURCES / "stormproof.h").read_text()
    for kind in STRUCTURES:
        body = header.split(f"struct {kind.__name__} {{")[1].split("};")[0]
        code = " ".join(line.split("//")[0] for line in body.splitlines())
        declared = [
            part.split()[-1].strip("*")
            for statement in code.split(";")
            for part in statement.split(",")
            if part.strip()
        ]
        assert declared == [field[0] for field in kind._fields_]
