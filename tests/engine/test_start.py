"""Who computes: the native step on a CPU; PyTorch on a GPU, or with a warning; or nobody."""

import subprocess
import sys
from pathlib import Path

import pytest

from stormproof.engine import LLM, EngineConfig, SamplingParams
from stormproof.engine import start as starting
from stormproof.engine.native import runner
from stormproof.engine.start import start_core
from stormproof.errors import ConfigurationError

NO_COMPILER = "there is no C++ compiler; install g++ or clang++"


@pytest.fixture
def _no_native_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "why_not_native", lambda *_: NO_COMPILER)


@pytest.fixture
def _no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "has_torch", lambda: False)


def config(model_path: Path, **options: object) -> EngineConfig:
    return EngineConfig(model=str(model_path), num_blocks=8, threads=1, **options)  # type: ignore[arg-type]


ANSWER = """
import sys
from stormproof.engine import LLM, EngineConfig, SamplingParams
llm = LLM.load(EngineConfig(model=sys.argv[1], device="cpu", threads=1, num_blocks=8))
answer = llm.chat([{"role": "user", "content": "Hi!"}], SamplingParams(max_tokens=4))
print(answer.completion_tokens, sorted({"torch", "transformers", "safetensors"} & set(sys.modules)))
"""


def test_a_cpu_answers_without_pytorch(model_path: Path) -> None:
    command = [sys.executable, "-c", ANSWER, str(model_path)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert ran.stdout == "4 []\n"


@pytest.mark.usefixtures("_no_native_step")
def test_without_a_native_step_pytorch_computes_and_the_reason_is_told(model_path: Path) -> None:
    with pytest.warns(RuntimeWarning, match="no native step, because there is no C"):
        llm = LLM(start_core(config(model_path, device="cpu")))
    answer = llm.chat([{"role": "user", "content": "Hi!"}], SamplingParams(max_tokens=2))
    assert answer.completion_tokens == 2


@pytest.mark.usefixtures("_no_native_step", "_no_torch")
def test_without_either_the_reason_and_the_remedy_are_told(model_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no C\+\+ compiler.*pip install 'stormproof\["):
        start_core(config(model_path, device="cpu"))


@pytest.mark.usefixtures("_no_torch")
def test_a_gpu_needs_pytorch(model_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="PyTorch is not installed"):
        start_core(config(model_path, device="cuda"))


@pytest.mark.usefixtures("_no_native_step")
def test_pytorch_has_no_4_bits(model_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="PyTorch has no int4"):
        start_core(config(model_path, device="cpu", dtype="int4"))
