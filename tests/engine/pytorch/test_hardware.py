"""As many threads compute as there are cores to be had."""

import os
from pathlib import Path

import pytest

from stormproof.engine.pytorch import hardware
from stormproof.engine.pytorch.hardware import has_gpu, usable_cores

NOWHERE = Path("/nowhere")


@pytest.fixture(autouse=True)
def _eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def test_each_cpu_counts_where_nothing_else_is_known() -> None:
    assert usable_cores(cores=NOWHERE, quota=NOWHERE) == 8


def test_threads_of_one_core_count_once(tmp_path: Path) -> None:
    for cpu in range(8):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
    assert usable_cores(cores=tmp_path, quota=NOWHERE) == 4


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", 8),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("1600000 100000", 8),
        ("nonsense", 8),
        ("100000 0", 8),
    ],
)
def test_a_container_gets_what_it_is_allowed(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert usable_cores(cores=NOWHERE, quota=tmp_path / "cpu.max") == cores


def test_without_pytorch_no_gpu_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "has_torch", lambda: False)
    assert not has_gpu()
